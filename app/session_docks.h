// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QObject>

#include "app/window_docks.h"

namespace gatescope {

/// The docks around a session that is only read: those of the main window that show what was
/// recorded, without the ones that ask the model.
class SessionDocks final : public QObject {
    Q_OBJECT

  public:
    SessionDocks(QMainWindow* window, Selection* selection);

    const TraceViews& views() const { return m_views; }
    void fillMenu(QMenu* menu) const;
    /// There is nothing to show in them.
    void hideAll();

  private:
    void place();
    QDockWidget* add(const char* name, const QString& title, QWidget* contents);

    QMainWindow* m_window;
    TraceViews m_views;
    QList<QDockWidget*> m_upper;  ///< what concerns the whole session
    QList<QDockWidget*> m_why;    ///< one token
    QList<QDockWidget*> m_lower;  ///< the tokens and what they cost
};

}  // namespace gatescope
