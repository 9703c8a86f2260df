// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/dock_view.h"

#include <QShowEvent>

namespace gatescope {

DockView::DockView(QWidget* parent) : QWidget(parent) {
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
}

void DockView::changed() {
    m_stale = true;
    if (isVisible()) {
        computeNow();
    }
}

void DockView::computeNow() {
    m_stale = false;
    ++m_computations;
    compute();
}

void DockView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_stale) {
        computeNow();
    }
}

}  // namespace gatescope
