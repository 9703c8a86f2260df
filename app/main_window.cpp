// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/main_window.h"

#include <QAction>
#include <QCloseEvent>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QLineEdit>
#include <QMenu>
#include <QMimeData>
#include <QPushButton>
#include <QScreen>
#include <QStatusBar>
#include <QTabWidget>
#include <QToolBar>
#include <QToolButton>

#include "app/bias_controller.h"
#include "app/branch_menu.h"
#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "app/compare_controller.h"
#include "app/compare_pane.h"
#include "app/device_menu.h"
#include "app/dock_feeder.h"
#include "app/engine_client.h"
#include "app/help_dialogs.h"
#include "app/history_reader.h"
#include "app/interventions_controller.h"
#include "app/planner_dialog.h"
#include "app/replay_controller.h"
#include "app/report_dialog.h"
#include "app/sampling_dialog.h"
#include "app/session_actions.h"
#include "app/session_replay_controller.h"
#include "app/session_transfer.h"
#include "app/session_windows.h"
#include "app/specialists_controller.h"
#include "app/sql_console_window.h"
#include "app/status_strip.h"
#include "app/window_actions.h"
#include "app/window_docks.h"
#include "engine/analysis/specialisation.h"
#include "engine/model/demo_model.h"
#include "views/balance_view.h"
#include "views/chat_input.h"
#include "views/compare_view.h"
#include "views/dock_view.h"
#include "views/empty_chat.h"
#include "views/experts_view.h"
#include "views/literal_text.h"
#include "views/routing_view.h"
#include "views/session_list_view.h"
#include "views/transcript_view.h"

namespace gatescope {
namespace {

/// The one local folder in a drop; empty otherwise.
QString droppedFolder(const QMimeData* data) {
    const QList<QUrl> urls = data->urls();
    if (urls.size() != 1 || !urls.front().isLocalFile()) {
        return {};
    }
    const QFileInfo info(urls.front().toLocalFile());
    // A file of the model stands for its folder.
    return info.isDir() ? info.absoluteFilePath() : info.isFile() ? info.absolutePath() : QString();
}

}  // namespace

MainWindow::MainWindow(const WindowOptions& options, AppSettings* settings)
    : m_settings(settings),
      m_engine(new EngineClient(options.sessionFile, this)),
      m_history(new HistoryReader(options.sessionFile, this)),
      m_pane(new ChatPane(&m_selection)) {
    setAcceptDrops(true);
    addTabs();
    resize(options.size.isEmpty() ? kDefaultWindowSize.boundedTo(screen()->availableSize())
                                  : options.size);
    m_actions = new WindowActions(this);
    m_deviceMenu = new DeviceMenu(m_actions->devices, this);
    m_docks = new WindowDocks(this, &m_selection);
    m_docks->fillMenu(m_actions->docks);
    m_status = new StatusStrip(statusBar());
    m_chat = new ChatController(m_engine, m_pane, &m_selection, &m_store, this);
    m_chat->setLoadOptions(options.load);
    const TraceViews& views = m_docks->views();
    m_replay = new ReplayController(m_engine, m_chat, &m_store, this);
    m_feeder =
        new DockFeeder(views, m_pane, m_chat, &m_selection, &m_store, m_engine, m_replay, this);
    new BranchMenu(m_chat, m_pane->transcript(), &m_selection, &m_store, m_actions, this);
    m_bias = new BiasController(m_engine, m_chat, &m_store, views.bias, this);
    m_specialists = new SpecialistsController(m_engine, m_chat, views.specialists, this);
    m_interventions = new InterventionsController(m_engine, m_chat, views.interventions, this);
    m_sessionReplay = new SessionReplayController(m_engine, m_chat, options.sessionFile, this);
    m_compare = new CompareController(m_engine, m_chat, m_comparePane, options.sessionFile, this);
    connectDomains();
    connectCompare();
    addToolBar();
    connectActions();
    connectViewActions();
    connectChat();
    connectSessions();
    connectSessionFile(options.sessionFile);
    connectReports(options.sessionFile);
    connectSessionWindows(options.sessionFile);
    connectHover();
    m_chat->setSettings(settings->chat());
    m_actions->setTheme(settings->theme());
    setZoom(settings->zoom());
    setColour(settings->colourAcceptance());
    m_feeder->clear();
    restoreRouting();
    if (options.size.isEmpty()) {
        restoreGeometry(settings->geometry());
    }
    m_docks->restoreLayout(settings->layout());
    refreshActions();
    refreshTitle();
    m_pane->input()->setFocus(Qt::OtherFocusReason);
}

MainWindow::~MainWindow() {
    // The engine's thread ends first: nothing may arrive at views that are going.
    m_replay->clear();
    m_sessionReplay->cancel();
    delete m_compare;  // and its thread with it
    m_specialists->cancel();
    m_interventions->cancel();
    delete m_feeder;  // docks that go are nothing to react to any more
    delete m_history;
    delete m_engine;
}

void MainWindow::addTabs() {
    m_comparePane = new ComparePane(&m_selection);
    m_tabs = new QTabWidget;
    m_tabs->setDocumentMode(true);
    m_tabs->addTab(m_pane, tr("Chat"));
    m_tabs->addTab(m_comparePane, tr("Compare"));
    m_tabs->setAccessibleName(tr("Chat and comparison"));
    setCentralWidget(m_tabs);
}

void MainWindow::connectCompare() {
    m_compare->setRecentModels(m_settings->recentModels());
    connect(m_chat, &ChatController::modelLoaded, this,
            [this] { m_compare->setRecentModels(m_settings->recentModels()); });
    connect(m_history, &HistoryReader::allListed, this,
            [this](const auto& sessions) { m_compare->setSessions(*sessions); });
    // The docks show the chat's own session, and a comparison needs their room.
    connect(m_tabs, &QTabWidget::currentChanged, this,
            [this] { m_docks->setTraceHidden(m_tabs->currentWidget() == m_comparePane); });
    connect(m_compare, &CompareController::shown, this,
            [this] { m_tabs->setCurrentWidget(m_comparePane); });
    connect(m_actions->goToCompare, &QAction::triggered, this, [this] {
        m_tabs->setCurrentWidget(m_comparePane);
        m_comparePane->focusNext();
    });
    for (QAction* action :
         {m_actions->goToInput, m_actions->goToTranscript, m_actions->newSession, m_actions->find,
          m_actions->regenerate, m_actions->branch, m_actions->editMessage}) {
        connect(action, &QAction::triggered, this, [this] { m_tabs->setCurrentWidget(m_pane); });
    }
    connect(m_docks->sessionList(), &SessionListView::opened, this,
            [this] { m_tabs->setCurrentWidget(m_pane); });
}

void MainWindow::addToolBar() {
    QToolBar* bar = QMainWindow::addToolBar(tr("Main"));
    bar->setObjectName(QStringLiteral("toolbar.main"));
    bar->setMovable(false);
    bar->toggleViewAction()->setVisible(false);
    m_modelButton = new QPushButton;
    m_modelButton->setFlat(true);
    m_modelButton->setToolTip(tr("Models"));
    auto* models = new QMenu(m_modelButton);
    connect(models, &QMenu::aboutToShow, this, [this, models] { fillRecentModels(models); });
    m_modelButton->setMenu(models);
    bar->addWidget(m_modelButton);
    bar->addAction(m_actions->speculate);
    if (auto* button = qobject_cast<QToolButton*>(bar->widgetForAction(m_actions->speculate))) {
        button->setMenu(m_actions->speculateModes);
        button->setPopupMode(QToolButton::MenuButtonPopup);
    }
    m_samplingButton = new QToolButton;
    m_samplingButton->setToolTip(tr("Sampling (Ctrl+,)"));
    connect(m_samplingButton, &QToolButton::clicked, this, &MainWindow::openSampling);
    bar->addWidget(m_samplingButton);
    bar->addAction(m_actions->regenerate);
}

void MainWindow::connectActions() {
    connect(m_actions->openModel, &QAction::triggered, this, &MainWindow::chooseModel);
    connect(m_actions->recentModels, &QMenu::aboutToShow, this,
            [this] { fillRecentModels(m_actions->recentModels); });
    connect(m_deviceMenu, &DeviceMenu::chosen, this, &MainWindow::runOn);
    connect(m_actions->newSession, &QAction::triggered, m_chat, &ChatController::newSession);
    connect(m_actions->quit, &QAction::triggered, this, &QWidget::close);
    connect(m_actions->stop, &QAction::triggered, m_chat, &ChatController::stop);
    connect(m_actions->regenerate, &QAction::triggered, m_chat, &ChatController::regenerate);
    connect(m_actions->find, &QAction::triggered, m_pane, &ChatPane::openFind);
    connect(m_actions->earlier, &QAction::triggered, m_chat,
            [this] { m_chat->goToPart(ChatController::Part::Earlier); });
    connect(m_actions->later, &QAction::triggered, m_chat,
            [this] { m_chat->goToPart(ChatController::Part::Later); });
    connect(m_actions->sampling, &QAction::triggered, this, &MainWindow::openSampling);
    const auto speculate = [this](Speculate mode) {
        ChatSettings settings = m_chat->settings();
        settings.setSpeculate(mode);
        m_chat->setSettings(settings);
    };
    connect(m_actions, &WindowActions::speculateChosen, this, speculate);
    connect(m_actions->speculate, &QAction::triggered, this, [this, speculate](bool on) {
        speculate(on ? m_chat->settings().lastSpeculate : Speculate::Off);
    });
    connect(m_actions->keys, &QAction::triggered, this,
            [this] { showKeys(this, m_actions->keyTable()); });
    connect(m_actions->about, &QAction::triggered, this, [this] { showAbout(this); });
}

void MainWindow::connectViewActions() {
    connect(m_actions->resetLayout, &QAction::triggered, m_docks, &WindowDocks::resetLayout);
    connect(m_actions, &WindowActions::themeChosen, this, [this](Theme theme) {
        m_settings->setTheme(theme);
        applyTheme(theme);
    });
    TranscriptView* transcript = m_pane->transcript();
    connect(m_actions->zoomIn, &QAction::triggered, this,
            [this, transcript] { setZoom(transcript->zoom() + 1); });
    connect(m_actions->zoomOut, &QAction::triggered, this,
            [this, transcript] { setZoom(transcript->zoom() - 1); });
    connect(m_actions->zoomReset, &QAction::triggered, this, [this] { setZoom(0); });
    connect(transcript, &TranscriptView::zoomChanged, this,
            [this](int steps) { m_settings->setZoom(steps); });
    connect(m_actions, &WindowActions::colourAcceptanceChosen, this, &MainWindow::setColour);
    connect(m_actions->selectionBack, &QAction::triggered, &m_selection, &Selection::back);
    connect(m_actions->selectionForward, &QAction::triggered, &m_selection, &Selection::forward);
    connect(&m_selection, &Selection::historyChanged, this, &MainWindow::refreshActions);
    const auto focus = [](QWidget* widget) {
        return [widget] { widget->setFocus(Qt::ShortcutFocusReason); };
    };
    connect(m_actions->goToInput, &QAction::triggered, this, focus(m_pane->input()));
    connect(m_actions->goToTranscript, &QAction::triggered, this, focus(transcript));
    connect(m_actions->goToSessions, &QAction::triggered, this,
            focus(m_docks->sessionList()->filter()));
    for (const auto& [name, action] : m_actions->goToDocks) {
        connect(action, &QAction::triggered, m_docks,
                [this, name = name] { m_docks->bringUp(name); });
    }
}

void MainWindow::connectChat() {
    connect(m_chat, &ChatController::stateChanged, this, &MainWindow::refreshActions);
    connect(m_chat, &ChatController::settingsChanged, this, [this] {
        m_settings->setChat(m_chat->settings());
        refreshActions();
        m_feeder->refreshSpeculation();
        if (m_sampling != nullptr) {
            m_sampling->setSettings(m_chat->settings());
        }
    });
    connect(m_chat, &ChatController::modelLoaded, this, [this] {
        const ModelFacts& model = *m_chat->model();
        if (!model.demo) {
            m_settings->addRecentModel(QString::fromStdString(model.dir.string()));
        }
        refreshActions();
    });
    connect(m_chat, &ChatController::modelRefused, this,
            [this](const QString& dir) { m_settings->removeRecentModel(dir); });
    connect(m_chat, &ChatController::tokensArrived, this, [this] { m_feeder->refresh(); });
    connect(m_chat, &ChatController::answerFinished, this,
            [this](const std::shared_ptr<const AnswerEnd>& end) {
                m_feeder->refresh();
                m_status->showTiming(end->result.timing);
            });
    connect(m_chat, &ChatController::sessionCleared, this, [this] {
        m_status->clearSession();
        m_feeder->clear();
        m_bias->clear();
    });
    const auto showAcceptance = [this] {
        const SpeculationCounter& drafts = m_store.speculation();
        m_status->setAcceptance(drafts.accepted(), drafts.drafted(), drafts.gain());
    };
    // The last steps may be stored after the last frame.
    connect(m_chat, &ChatController::answerFinished, this, showAcceptance);
    connect(m_engine, &EngineClient::frame, this,
            [this, showAcceptance](const std::shared_ptr<const LiveFrame>& frame) {
                m_feeder->showFrame(*frame);
                m_bias->showFrame(*frame);
                m_status->showFrame(*frame, m_chat->state() == ChatState::Answering);
                showAcceptance();
            });
    connect(m_pane->empty(), &EmptyChat::openModelRequested, this, &MainWindow::chooseModel);
}

void MainWindow::connectSessions() {
    SessionListView* list = m_docks->sessionList();
    connect(m_engine, &EngineClient::sessionsChanged, m_history, &HistoryReader::list);
    m_sessionActions = new SessionActions(m_engine, m_history, m_chat, list, this);
    connect(list, &SessionListView::replayRequested, m_sessionReplay,
            &SessionReplayController::replay);
    connect(list, &SessionListView::compareRequested, m_compare,
            &CompareController::compareSessions);
    connect(m_history, &HistoryReader::loaded, m_chat, &ChatController::openSession);
    connect(m_history, &HistoryReader::loadFailed, m_chat, &ChatController::partFailed);
    connect(m_chat, &ChatController::partWanted, m_history, &HistoryReader::load);
    connect(m_chat, &ChatController::partChanged, this, &MainWindow::refreshActions);
    connect(list, &SessionListView::newSessionRequested, m_chat, &ChatController::newSession);
    connect(list, &SessionListView::opened, this, [this, list](std::int64_t session) {
        const bool here = m_chat->session() == session;
        if (!here && m_chat->state() == ChatState::Answering) {
            m_sessionWindows->open(session);  // the chat is in use
        } else if (!here) {
            m_history->load(session);
        }
        list->setCurrent(m_chat->session());  // until it is open
    });
    connect(m_chat, &ChatController::sessionChanged, this, [this, list] {
        list->setCurrent(m_chat->session());
        refreshActions();
    });
}

/// Sessions to and from other files, and questions about all of them.
void MainWindow::connectSessionFile(const std::filesystem::path& file) {
    m_transfer = new SessionTransfer(file, this);
    SessionListView* list = m_docks->sessionList();
    connect(list, &SessionListView::exportRequested, m_transfer, &SessionTransfer::exportSessions);
    connect(m_actions->exportSessions, &QAction::triggered, m_transfer, [this, list] {
        std::vector<std::int64_t> sessions = list->selected();
        if (const auto open = m_chat->session(); open && sessions.empty()) {
            sessions.push_back(*open);
        }
        m_transfer->exportSessions(sessions);
    });
    connect(m_actions->importSessions, &QAction::triggered, m_transfer,
            &SessionTransfer::importSessions);
    connect(m_transfer, &SessionTransfer::imported, m_history, &HistoryReader::list);
    connect(m_transfer, &SessionTransfer::failed, m_chat, &ChatController::showError);
    connect(m_actions->sqlConsole, &QAction::triggered, this, [this, file] {
        if (m_sqlConsole == nullptr) {
            m_sqlConsole = new SqlConsoleWindow(file, file.parent_path() / "queries.json", this);
        }
        m_sqlConsole->setSession(m_chat->session());
        m_sqlConsole->show();
        m_sqlConsole->raise();
        m_sqlConsole->activateWindow();
    });
}

void MainWindow::connectReports(const std::filesystem::path& file) {
    const SessionListView* list = m_docks->sessionList();
    const auto chosen = [list] { return list->selected(); };
    connect(m_actions->planPlacement, &QAction::triggered, this, [this, file, chosen] {
        if (m_planner == nullptr) {
            m_planner = new PlannerDialog(file, chosen, this);
        }
        m_planner->bringUp();
    });
    connect(m_actions->makeReport, &QAction::triggered, this, [this, file, chosen] {
        if (m_report == nullptr) {
            m_report = new ReportDialog(file, chosen, this);
        }
        m_report->bringUp();
    });
}

void MainWindow::connectSessionWindows(const std::filesystem::path& file) {
    m_sessionWindows = new SessionWindows(file, m_chat, m_settings, this);
    connect(m_docks->sessionList(), &SessionListView::openedInWindow, m_sessionWindows,
            &SessionWindows::open);
    connect(m_comparePane->view(), &CompareView::tokenOpened, m_sessionWindows,
            &SessionWindows::openAt);
}

void MainWindow::restoreRouting() {
    RoutingView* routing = m_docks->views().routing;
    const RoutingSettings saved = m_settings->routing();
    routing->setMode(static_cast<RoutingView::Mode>(saved.mode));
    routing->setOrder(static_cast<RoutingView::Order>(saved.order));
    if (saved.phases != 0) {
        routing->setPhases(saved.phases);
        m_docks->views().balance->setPhases(routing->phases());
    }
    connect(routing, &RoutingView::settingsChanged, this, [this, routing] {
        m_settings->setRouting({static_cast<int>(routing->mode()),
                                static_cast<int>(routing->order()), routing->phases()});
    });
}

/// What a labelled prompt set showed about an expert also stands in the Experts dock.
void MainWindow::connectDomains() {
    const auto show = [this] {
        m_feeder->setDomains([this](int row, int expert) {
            std::vector<DomainAffinity> domains;
            const auto& value = m_specialists->value();
            for (int d = 0; value && row < value->rows() && d < value->domainCount(); ++d) {
                domains.push_back({value->domains[static_cast<std::size_t>(d)],
                                   value->affinity(row, expert, d), value->tokens(row, d)});
            }
            return domains;
        });
    };
    connect(m_specialists, &SpecialistsController::valueChanged, this, show);
    show();
}

void MainWindow::connectHover() {
    const TraceViews& views = m_docks->views();
    const auto report = [this](const QString& text) { m_status->setHover(text); };
    connect(m_pane->transcript(), &TranscriptView::hoverText, this, report);
    for (DockView* view : views.all()) {
        connect(view, &DockView::hoverText, this, report);
        connect(view, &DockView::failed, m_chat, &ChatController::showError);
    }
}

// ---------------------------------------------------------------- models

void MainWindow::openModel(const QString& dir) {
    m_chat->loadModel(std::filesystem::path(dir.toStdString()));
}

void MainWindow::runOn(const DeviceOptions& device) {
    LoadOptions options = m_chat->loadOptions();
    options.device = device;
    if (device.name == "cpu") {  // what only a GPU has a choice of
        options.cacheType.reset();
        options.expertsOnCpu.reset();
    }
    m_chat->setLoadOptions(options);
    m_chat->loadModel(m_chat->model()->dir);
}

void MainWindow::chooseModel() {
    auto* dialog = new QFileDialog(this, tr("Open model folder"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::Directory);
    dialog->setOption(QFileDialog::ShowDirsOnly);
    const QStringList recent = m_settings->recentModels();
    dialog->setDirectory(recent.isEmpty() ? QDir::homePath()
                                          : QFileInfo(recent.front()).absolutePath());
    connect(dialog, &QFileDialog::fileSelected, this, &MainWindow::openModel);
    dialog->open();
}

void MainWindow::fillRecentModels(QMenu* menu) {
    menu->clear();
    const std::filesystem::path demo = demoModelDir();
    if (!demo.empty()) {
        menu->addAction(tr("Demo model"), this,
                        [this, demo] { openModel(QString::fromStdString(demo.string())); });
    }
    for (const QString& dir : m_settings->recentModels()) {
        QString text = literalText(dir);
        QAction* action = menu->addAction(text.replace(u'&', QStringLiteral("&&")));
        connect(action, &QAction::triggered, this, [this, dir] { openModel(dir); });
    }
    menu->addSeparator();
    menu->addAction(m_actions->openModel);
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (!droppedFolder(event->mimeData()).isEmpty()) {
        event->acceptProposedAction();
    }
}

void MainWindow::dropEvent(QDropEvent* event) {
    const QString dir = droppedFolder(event->mimeData());
    if (!dir.isEmpty()) {
        event->acceptProposedAction();
        openModel(dir);
    }
}

// ---------------------------------------------------------------- settings

void MainWindow::openSampling() {
    if (m_sampling == nullptr) {
        m_sampling = new SamplingDialog(this);
        connect(m_sampling, &SamplingDialog::changed, m_chat, &ChatController::setSettings);
    }
    m_sampling->setSettings(m_chat->settings());
    m_sampling->setModelHasMtp(m_chat->model() == nullptr || m_chat->model()->config.hasMtp());
    m_sampling->show();
    m_sampling->raise();
    m_sampling->activateWindow();
}

void MainWindow::setZoom(int steps) {
    m_pane->transcript()->setZoom(steps);
}

void MainWindow::setColour(bool acceptance) {
    m_settings->setColourAcceptance(acceptance);
    m_actions->setColourAcceptance(acceptance);
    m_pane->transcript()->setColour(acceptance ? TranscriptView::Colour::Acceptance
                                               : TranscriptView::Colour::Nothing);
}

void MainWindow::refreshActions() {
    const bool answering = m_chat->state() == ChatState::Answering;
    const bool loading = m_chat->state() == ChatState::Loading;
    m_actions->stop->setEnabled(answering);  // disabled, Esc is free for the find bar
    m_actions->regenerate->setEnabled(m_chat->canRegenerate());
    m_actions->earlier->setEnabled(m_chat->hasPart(ChatController::Part::Earlier));
    m_actions->later->setEnabled(m_chat->hasPart(ChatController::Part::Later));
    m_actions->newSession->setEnabled(!answering && !loading);
    m_actions->openModel->setEnabled(!answering && !loading);
    m_actions->selectionBack->setEnabled(m_selection.canGoBack());
    m_actions->selectionForward->setEnabled(m_selection.canGoForward());
    const ModelFacts* model = m_chat->model();
    m_actions->devices->setEnabled(model != nullptr && !answering && !loading);
    m_deviceMenu->setCurrent(m_chat->loadOptions().device);
    m_status->setModel(model);
    m_actions->setSpeculate(m_chat->settings().speculate,
                            model == nullptr || model->config.hasMtp());
    QString name = model != nullptr ? literalText(model->name) : tr("Model");
    m_modelButton->setText(name.replace(u'&', QStringLiteral("&&")));
    m_samplingButton->setText(m_chat->settings().summary());
    refreshTitle();
}

void MainWindow::refreshTitle() {
    const ModelFacts* model = m_chat->model();
    setWindowTitle(model != nullptr ? tr("%1 – Gatescope").arg(literalText(model->name))
                                    : tr("Gatescope"));
}

void MainWindow::closeEvent(QCloseEvent* event) {
    m_settings->setWindow(saveGeometry(), m_docks->saveLayout());
    m_sessionWindows->closeAll();
    m_chat->stop();
    QMainWindow::closeEvent(event);
}

}  // namespace gatescope
