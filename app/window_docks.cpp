// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window_docks.h"

#include <QAction>
#include <QDockWidget>
#include <QMainWindow>
#include <QMenu>

#include "views/cache_view.h"
#include "views/routing_view.h"
#include "views/session_list_view.h"
#include "views/speculation_view.h"
#include "views/why_view.h"

namespace gatescope {
namespace {

constexpr int kLayoutVersion = 1;  // raise when docks come or go
constexpr int kNarrow = 1240;      // below this, the lower docks share one place

}  // namespace

WindowDocks::WindowDocks(QMainWindow* window, Selection* selection)
    : QObject(window), m_window(window), m_sessionList(new SessionListView) {
    m_views.routing = new RoutingView(selection);
    m_views.why = new WhyView(selection);
    m_views.cache = new CacheView;
    m_views.speculation = new SpeculationView;
    window->setDockNestingEnabled(true);
    window->setDockOptions(window->dockOptions() | QMainWindow::AllowTabbedDocks |
                           QMainWindow::AnimatedDocks);
    window->setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
    m_sessions = add(QStringLiteral("sessions"), tr("Sessions"), m_sessionList);
    m_routing = add(QStringLiteral("routing"), tr("Routing"), m_views.routing);
    m_why = add(QStringLiteral("why"), tr("Why this expert"), m_views.why);
    m_cache = add(QStringLiteral("cache"), tr("Cache"), m_views.cache);
    m_speculation = add(QStringLiteral("speculation"), tr("Speculation"), m_views.speculation);
    resetLayout();
}

QDockWidget* WindowDocks::add(const QString& name, const QString& title, QWidget* contents) {
    auto* dock = new QDockWidget(title, m_window);
    dock->setObjectName(QStringLiteral("dock.") + name);
    dock->setWidget(contents);
    QFont heading;
    heading.setWeight(QFont::DemiBold);
    dock->setFont(heading);
    QFont normal;
    normal.setWeight(QFont::Normal);
    contents->setFont(normal);
    return dock;
}

QList<QDockWidget*> WindowDocks::all() const {
    return {m_sessions, m_routing, m_why, m_cache, m_speculation};
}

void WindowDocks::fillMenu(QMenu* menu) const {
    for (QDockWidget* dock : all()) {
        menu->addAction(dock->toggleViewAction());
    }
}

void WindowDocks::resetLayout() {
    for (QDockWidget* dock : all()) {
        dock->setFloating(false);
        m_window->removeDockWidget(dock);
    }
    m_window->addDockWidget(Qt::LeftDockWidgetArea, m_sessions);
    m_window->addDockWidget(Qt::RightDockWidgetArea, m_routing);
    m_window->splitDockWidget(m_routing, m_why, Qt::Vertical);
    const int width = m_window->width();
    const int height = m_window->height();
    const bool narrow = width < kNarrow;
    if (narrow) {
        m_window->tabifyDockWidget(m_why, m_cache);
    } else {
        m_window->splitDockWidget(m_why, m_cache, Qt::Horizontal);
    }
    m_window->tabifyDockWidget(m_cache, m_speculation);
    for (QDockWidget* dock : all()) {
        dock->show();
    }
    (narrow ? m_why : m_cache)->raise();
    m_window->resizeDocks({m_sessions, m_routing}, {width * 13 / 100, width * 57 / 100},
                          Qt::Horizontal);
    if (!narrow) {
        m_window->resizeDocks({m_why, m_cache}, {width * 34 / 100, width * 23 / 100},
                              Qt::Horizontal);
    }
    m_window->resizeDocks({m_routing, m_why}, {height * 50 / 100, height * 42 / 100}, Qt::Vertical);
}

QByteArray WindowDocks::saveLayout() const {
    return m_window->saveState(kLayoutVersion);
}

bool WindowDocks::restoreLayout(const QByteArray& layout) {
    return !layout.isEmpty() && m_window->restoreState(layout, kLayoutVersion);
}

}  // namespace gatescope
