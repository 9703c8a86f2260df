// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window_docks.h"

#include <QAction>
#include <QDockWidget>
#include <QMainWindow>
#include <QMenu>

#include "app/dock_frame.h"
#include "views/balance_view.h"
#include "views/bias_view.h"
#include "views/cache_view.h"
#include "views/experts_view.h"
#include "views/interventions_view.h"
#include "views/routing_view.h"
#include "views/session_list_view.h"
#include "views/specialists_view.h"
#include "views/speculation_view.h"
#include "views/tokens_view.h"
#include "views/why_view.h"

namespace gatescope {
namespace {

constexpr int kLayoutVersion = 2;  // raise when docks come or go
constexpr int kNarrow = 1240;      // below this, the lower docks share one place
const QString kPrefix = QStringLiteral("dock.");

}  // namespace

std::vector<DockView*> TraceViews::all() const {
    std::vector<DockView*> views = {routing, balance,       bias,  experts,     specialists,
                                    why,     interventions, cache, speculation, tokens};
    std::erase(views, nullptr);
    return views;
}

std::vector<std::string> WindowDocks::names() {
    return {"sessions", "routing",       "balance", "bias",        "experts", "specialists",
            "why",      "interventions", "cache",   "speculation", "tokens"};
}

WindowDocks::WindowDocks(QMainWindow* window, Selection* selection)
    : QObject(window), m_window(window), m_sessionList(new SessionListView) {
    m_views.routing = new RoutingView(selection);
    m_views.balance = new BalanceView(selection);
    m_views.bias = new BiasView(selection);
    m_views.experts = new ExpertsView(selection);
    m_views.specialists = new SpecialistsView(selection);
    m_views.why = new WhyView(selection);
    m_views.interventions = new InterventionsView(selection);
    m_views.cache = new CacheView;
    m_views.speculation = new SpeculationView(selection);
    m_views.tokens = new TokensView(selection);
    window->setDockNestingEnabled(true);
    window->setDockOptions(window->dockOptions() | QMainWindow::AllowTabbedDocks |
                           QMainWindow::AnimatedDocks);
    window->setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
    add(QStringLiteral("sessions"), tr("Sessions"), m_sessionList);
    add(QStringLiteral("routing"), tr("Routing"), m_views.routing);
    add(QStringLiteral("balance"), tr("Balance"), m_views.balance);
    add(QStringLiteral("bias"), tr("Bias"), m_views.bias);
    add(QStringLiteral("experts"), tr("Experts"), m_views.experts);
    add(QStringLiteral("specialists"), tr("Specialists"), m_views.specialists);
    add(QStringLiteral("why"), tr("Why this expert"), m_views.why);
    add(QStringLiteral("interventions"), tr("Interventions"), m_views.interventions);
    add(QStringLiteral("cache"), tr("Cache"), m_views.cache);
    add(QStringLiteral("speculation"), tr("Speculation"), m_views.speculation);
    add(QStringLiteral("tokens"), tr("Tokens"), m_views.tokens);
    resetLayout();
}

void WindowDocks::add(const QString& name, const QString& title, QWidget* contents) {
    m_docks.append(makeDock(m_window, kPrefix + name, title, contents));
}

QDockWidget* WindowDocks::dock(const QString& name) const {
    for (QDockWidget* dock : m_docks) {
        if (dock->objectName() == kPrefix + name) {
            return dock;
        }
    }
    return nullptr;
}

void WindowDocks::fillMenu(QMenu* menu) const {
    for (QDockWidget* dock : m_docks) {
        menu->addAction(dock->toggleViewAction());
    }
}

void WindowDocks::bringUp(const QString& name) const {
    if (QDockWidget* wanted = dock(name)) {
        wanted->show();
        wanted->raise();
        wanted->widget()->setFocus(Qt::ShortcutFocusReason);
    }
}

/// Above: what concerns the whole model. Below: one token, and beside it the tokens and what they
/// cost.
void WindowDocks::resetLayout() {
    m_keptLayout.clear();
    for (QDockWidget* dock : m_docks) {
        dock->setFloating(false);
        m_window->removeDockWidget(dock);
    }
    const auto at = [this](const char* name) { return dock(QLatin1String(name)); };
    const int width = m_window->width();
    const int height = m_window->height();
    const bool narrow = width < kNarrow;
    m_window->addDockWidget(Qt::LeftDockWidgetArea, sessions());
    m_window->addDockWidget(Qt::RightDockWidgetArea, routing());
    m_window->splitDockWidget(routing(), at("why"), Qt::Vertical);
    if (narrow) {
        m_window->tabifyDockWidget(at("why"), at("cache"));
    } else {
        m_window->splitDockWidget(at("why"), at("cache"), Qt::Horizontal);
    }
    m_window->tabifyDockWidget(at("cache"), at("speculation"));
    m_window->tabifyDockWidget(at("speculation"), at("tokens"));
    QDockWidget* before = routing();
    for (const char* name : {"balance", "bias", "experts", "specialists", "interventions"}) {
        m_window->tabifyDockWidget(before, at(name));
        before = at(name);
    }
    for (QDockWidget* dock : m_docks) {
        dock->show();
    }
    routing()->raise();
    (narrow ? at("why") : at("cache"))->raise();
    m_window->resizeDocks({sessions(), routing()}, {width * 13 / 100, width * 57 / 100},
                          Qt::Horizontal);
    if (!narrow) {
        m_window->resizeDocks({at("why"), at("cache")}, {width * 34 / 100, width * 23 / 100},
                              Qt::Horizontal);
    }
    m_window->resizeDocks({routing(), at("why")}, {height * 48 / 100, height * 44 / 100},
                          Qt::Vertical);
}

void WindowDocks::setTraceHidden(bool hidden) {
    if (hidden != m_keptLayout.isEmpty()) {
        return;
    }
    if (!hidden) {
        m_window->restoreState(m_keptLayout, kLayoutVersion);
        m_keptLayout.clear();
        return;
    }
    m_keptLayout = m_window->saveState(kLayoutVersion);
    for (QDockWidget* dock : m_docks) {
        if (dock != sessions() && !dock->isFloating()) {
            dock->hide();
        }
    }
}

QByteArray WindowDocks::saveLayout() const {
    if (!m_keptLayout.isEmpty()) {
        return m_keptLayout;
    }
    return m_window->saveState(kLayoutVersion);
}

bool WindowDocks::restoreLayout(const QByteArray& layout) {
    return !layout.isEmpty() && m_window->restoreState(layout, kLayoutVersion);
}

}  // namespace gatescope
