// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <map>
#include <string>
#include <vector>

class QDockWidget;
class QMainWindow;
class QMenu;

namespace gatescope {

class BalanceView;
class BiasView;
class CacheView;
class DockView;
class ExpertsView;
class InterventionsView;
class RoutingView;
class Selection;
class SessionListView;
class SpecialistsView;
class SpeculationView;
class TokensView;
class WhyView;

/// The docks that show what the recorder saw; null: not there.
struct TraceViews {
    RoutingView* routing = nullptr;
    BalanceView* balance = nullptr;
    BiasView* bias = nullptr;
    ExpertsView* experts = nullptr;
    SpecialistsView* specialists = nullptr;
    WhyView* why = nullptr;
    InterventionsView* interventions = nullptr;
    CacheView* cache = nullptr;
    SpeculationView* speculation = nullptr;
    TokensView* tokens = nullptr;

    std::vector<DockView*> all() const;  ///< that are there
};

/// The docks around the chat, all tear-off, and where they stand.
class WindowDocks final : public QObject {
    Q_OBJECT

  public:
    WindowDocks(QMainWindow* window, Selection* selection);

    /// What docks are called in settings and on the command line, in the order of the menu.
    static std::vector<std::string> names();

    SessionListView* sessionList() const { return m_sessionList; }
    const TraceViews& views() const { return m_views; }
    QDockWidget* dock(const QString& name) const;
    QDockWidget* sessions() const { return dock(QStringLiteral("sessions")); }
    QDockWidget* routing() const { return dock(QStringLiteral("routing")); }

    void fillMenu(QMenu* menu) const;
    /// Shows a dock, before those it shares its place with, and gives it the keyboard.
    void bringUp(const QString& name) const;
    /// Hides what belongs to the chat's own session, all docks but the sessions, and shows it
    /// again as it was.
    void setTraceHidden(bool hidden);
    /// As on the first start, for the window's present size.
    void resetLayout();
    QByteArray saveLayout() const;
    /// False, and nothing changed, for the layout of another version.
    bool restoreLayout(const QByteArray& layout);

  private:
    void add(const QString& name, const QString& title, QWidget* contents);

    QMainWindow* m_window;
    SessionListView* m_sessionList;
    TraceViews m_views;
    QList<QDockWidget*> m_docks;  ///< as in names()
    QByteArray m_keptLayout;      ///< while the trace docks are hidden; else empty
};

}  // namespace gatescope
