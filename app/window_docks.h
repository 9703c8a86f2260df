// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

#include "app/dock_feeder.h"

class QDockWidget;
class QMainWindow;
class QMenu;

namespace gatescope {

class SessionListView;

/// The docks around the chat, all tear-off, and where they stand.
class WindowDocks final : public QObject {
    Q_OBJECT

  public:
    WindowDocks(QMainWindow* window, Selection* selection);

    SessionListView* sessionList() const { return m_sessionList; }
    const TraceViews& views() const { return m_views; }
    QDockWidget* sessions() const { return m_sessions; }
    QDockWidget* routing() const { return m_routing; }

    void fillMenu(QMenu* menu) const;
    /// As on the first start, for the window's present size.
    void resetLayout();
    QByteArray saveLayout() const;
    /// False, and nothing changed, for the layout of another version.
    bool restoreLayout(const QByteArray& layout);

  private:
    QDockWidget* add(const QString& name, const QString& title, QWidget* contents);
    QList<QDockWidget*> all() const;

    QMainWindow* m_window;
    SessionListView* m_sessionList;
    TraceViews m_views;
    QDockWidget* m_sessions;
    QDockWidget* m_routing;
    QDockWidget* m_why;
    QDockWidget* m_cache;
    QDockWidget* m_speculation;
};

}  // namespace gatescope
