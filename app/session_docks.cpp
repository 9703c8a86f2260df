// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_docks.h"

#include <QDockWidget>
#include <QMainWindow>
#include <QMenu>

#include "app/dock_frame.h"
#include "views/balance_view.h"
#include "views/cache_view.h"
#include "views/experts_view.h"
#include "views/routing_view.h"
#include "views/speculation_view.h"
#include "views/tokens_view.h"
#include "views/why_view.h"

namespace gatescope {
namespace {

constexpr int kNarrow = 1100;  // below this, the lower docks share one place

}  // namespace

SessionDocks::SessionDocks(QMainWindow* window, Selection* selection)
    : QObject(window), m_window(window) {
    m_views.routing = new RoutingView(selection);
    m_views.balance = new BalanceView(selection);
    m_views.experts = new ExpertsView(selection);
    m_views.why = new WhyView(selection);
    m_views.cache = new CacheView;
    m_views.speculation = new SpeculationView(selection);
    m_views.tokens = new TokensView(selection);
    window->setDockNestingEnabled(true);
    window->setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
    m_upper = {add("routing", tr("Routing"), m_views.routing),
               add("balance", tr("Balance"), m_views.balance),
               add("experts", tr("Experts"), m_views.experts)};
    m_why = {add("why", tr("Why this expert"), m_views.why)};
    m_lower = {add("tokens", tr("Tokens"), m_views.tokens),
               add("cache", tr("Cache"), m_views.cache),
               add("speculation", tr("Speculation"), m_views.speculation)};
    place();
}

QDockWidget* SessionDocks::add(const char* name, const QString& title, QWidget* contents) {
    return makeDock(m_window, QStringLiteral("dock.") + QLatin1String(name), title, contents);
}

void SessionDocks::fillMenu(QMenu* menu) const {
    for (QDockWidget* dock : m_upper + m_why + m_lower) {
        menu->addAction(dock->toggleViewAction());
    }
}

void SessionDocks::hideAll() {
    for (QDockWidget* dock : m_upper + m_why + m_lower) {
        dock->hide();
    }
}

/// As in the main window: above what concerns the whole session, below one token.
void SessionDocks::place() {
    QDockWidget* routing = m_upper.front();
    QDockWidget* why = m_why.front();
    QDockWidget* tokens = m_lower.front();
    const int width = m_window->width();
    const int height = m_window->height();
    const bool narrow = width < kNarrow;
    m_window->addDockWidget(Qt::RightDockWidgetArea, routing);
    m_window->splitDockWidget(routing, why, Qt::Vertical);
    if (narrow) {
        m_window->tabifyDockWidget(why, tokens);
    } else {
        m_window->splitDockWidget(why, tokens, Qt::Horizontal);
    }
    for (const QList<QDockWidget*>& place : {m_upper, m_lower}) {
        for (qsizetype i = 1; i < place.size(); ++i) {
            m_window->tabifyDockWidget(place[i - 1], place[i]);
        }
        place.front()->raise();
    }
    m_window->resizeDocks({routing}, {width * 62 / 100}, Qt::Horizontal);
    if (narrow) {
        why->raise();
    } else {
        m_window->resizeDocks({why, tokens}, {width * 34 / 100, width * 28 / 100}, Qt::Horizontal);
    }
    m_window->resizeDocks({routing, why}, {height * 46 / 100, height * 46 / 100}, Qt::Vertical);
}

}  // namespace gatescope
