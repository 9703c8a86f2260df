// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMainWindow>
#include <filesystem>
#include <memory>

#include "app/engine_messages.h"
#include "app/settings.h"
#include "app/trace_store.h"
#include "views/selection.h"

class QPushButton;
class QTabWidget;
class QToolButton;

namespace gatescope {

class BiasController;
class ChatController;
class ChatPane;
class CompareController;
class ComparePane;
class DeviceMenu;
class DockFeeder;
class EngineClient;
class HistoryReader;
class InterventionsController;
class PlannerDialog;
class ReplayController;
class ReportDialog;
class SamplingDialog;
class SessionActions;
class SessionReplayController;
class SessionTransfer;
class SessionWindows;
class SpecialistsController;
class SqlConsoleWindow;
class StatusStrip;
class WindowActions;
class WindowDocks;

inline constexpr QSize kDefaultWindowSize(1440, 880);

struct WindowOptions {
    std::filesystem::path sessionFile;
    LoadOptions load;
    QSize size;  ///< empty: as saved, or the default where the screen has room
};

/// The window: puts the parts together and connects them; each part does its own work.
class MainWindow final : public QMainWindow {
    Q_OBJECT

  public:
    MainWindow(const WindowOptions& options, AppSettings* settings);
    ~MainWindow() override;

    void openModel(const QString& dir);

    ChatController* chat() const { return m_chat; }
    ChatPane* pane() const { return m_pane; }
    WindowDocks* docks() const { return m_docks; }
    WindowActions* actions() const { return m_actions; }
    ComparePane* comparePane() const { return m_comparePane; }
    CompareController* compare() const { return m_compare; }
    ReportDialog* report() const { return m_report; }  ///< null until opened
    SessionReplayController* sessionReplay() const { return m_sessionReplay; }
    SessionTransfer* transfer() const { return m_transfer; }
    SessionWindows* sessionWindows() const { return m_sessionWindows; }
    SqlConsoleWindow* sqlConsole() const { return m_sqlConsole; }  ///< null until opened
    PlannerDialog* planner() const { return m_planner; }           ///< null until opened
    StatusStrip* status() const { return m_status; }
    Selection* selection() { return &m_selection; }
    const TraceStore& traces() const { return m_store; }

  protected:
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

  private:
    void addToolBar();
    void connectActions();
    void connectViewActions();
    void connectChat();
    void connectSessions();
    void connectSessionFile(const std::filesystem::path& file);
    void connectReports(const std::filesystem::path& file);
    void connectSessionWindows(const std::filesystem::path& file);
    void connectHover();
    void connectDomains();
    void connectCompare();
    void addTabs();
    void restoreRouting();
    void chooseModel();
    /// Loads the model anew on another device.
    void runOn(const DeviceOptions& device);
    void fillRecentModels(QMenu* menu);
    void openSampling();
    void refreshActions();
    void refreshTitle();
    void setZoom(int steps);
    void setColour(bool acceptance);

    AppSettings* m_settings;
    Selection m_selection;
    TraceStore m_store;
    EngineClient* m_engine;
    HistoryReader* m_history;
    ChatPane* m_pane;
    WindowActions* m_actions;
    DeviceMenu* m_deviceMenu;
    WindowDocks* m_docks;
    StatusStrip* m_status;
    ChatController* m_chat;
    ReplayController* m_replay;
    DockFeeder* m_feeder;
    BiasController* m_bias;
    SpecialistsController* m_specialists;
    InterventionsController* m_interventions;
    SessionReplayController* m_sessionReplay;
    SessionActions* m_sessionActions = nullptr;
    SessionWindows* m_sessionWindows = nullptr;
    ComparePane* m_comparePane;
    CompareController* m_compare;
    QTabWidget* m_tabs;
    SessionTransfer* m_transfer = nullptr;
    SqlConsoleWindow* m_sqlConsole = nullptr;
    PlannerDialog* m_planner = nullptr;
    ReportDialog* m_report = nullptr;
    SamplingDialog* m_sampling = nullptr;  ///< made when first opened
    QPushButton* m_modelButton = nullptr;
    QToolButton* m_samplingButton = nullptr;
};

}  // namespace gatescope
