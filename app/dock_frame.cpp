// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/dock_frame.h"

#include <QDockWidget>
#include <QMainWindow>

#include "views/dock_view.h"

namespace gatescope {

QDockWidget* makeDock(QMainWindow* window, const QString& name, const QString& title,
                      QWidget* contents) {
    auto* dock = new QDockWidget(title, window);
    dock->setObjectName(name);
    dock->setWidget(contents);
    QFont heading;
    heading.setWeight(QFont::DemiBold);
    dock->setFont(heading);
    QFont normal;
    normal.setWeight(QFont::Normal);
    contents->setFont(normal);
    if (auto* view = qobject_cast<DockView*>(contents)) {
        QObject::connect(dock, &QDockWidget::visibilityChanged, view, &DockView::setInFront);
    }
    return dock;
}

}  // namespace gatescope
