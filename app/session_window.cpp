// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_window.h"

#include <QAction>
#include <QLabel>
#include <QMenu>
#include <QMenuBar>
#include <QScreen>
#include <QStatusBar>
#include <QVBoxLayout>

#include "app/history_reader.h"
#include "app/notice_bar.h"
#include "app/session_counter.h"
#include "app/session_docks.h"
#include "app/session_feeder.h"
#include "app/settings.h"
#include "app/stored_prompts.h"
#include "app/transcript_pane.h"
#include "engine/model/interventions.h"
#include "engine/session/settings_json.h"
#include "views/balance_view.h"
#include "views/dock_view.h"
#include "views/find_bar.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/routing_view.h"
#include "views/transcript_view.h"
#include "views/view_export.h"

namespace gatescope {
namespace {

constexpr int kTitleChars = 60;

/// How the newest answer's drafts were judged.
QString ruleOf(const StoredSession& stored) {
    ChatSettings settings;
    for (const StoredTurn& turn : stored.turns) {
        if (turn.role == Role::Assistant && !turn.replaced) {
            settings.sampling = settingsFromJson(turn.paramsJson).sampling;
        }
    }
    return settings.ruleText();
}

}  // namespace

SessionWindow::SessionWindow(const std::filesystem::path& file, std::int64_t session,
                             std::shared_ptr<const ModelFacts> model, bool stillWritten)
    : m_session(session),
      m_model(std::move(model)),
      m_history(new HistoryReader(file, this)),
      m_counter(new SessionCounter(this)),
      m_pane(new TranscriptPane(&m_selection)),
      m_notices(new NoticeBar),
      m_message(makeMessageLabel(nullptr)),
      m_writer(m_pane->transcript(), &m_store, &m_parts) {
    m_writer.setStillWritten(stillWritten);
    auto* middle = new QWidget;
    auto* column = new QVBoxLayout(middle);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_notices);
    column->addWidget(m_pane, 1);
    column->addWidget(m_message, 1);
    m_message->hide();
    middle->setMinimumWidth(320);
    setCentralWidget(middle);
    resize(kSessionWindowSize.boundedTo(screen()->availableSize()));
    m_docks = new SessionDocks(this, &m_selection);
    m_feeder = new SessionFeeder(m_docks->views(), m_pane, &m_selection, &m_store, &m_writer,
                                 m_counter, this);
    addSessionMenu();
    addViewMenu();
    connectAll();
    showTitle(tr("Session %1").arg(session));
    refreshActions();
    m_pane->transcript()->setFocus(Qt::OtherFocusReason);
    m_history->load(session);
}

SessionWindow::~SessionWindow() {
    delete m_feeder;  // docks that go are nothing to react to any more
    delete m_counter;
    delete m_history;
}

void SessionWindow::connectAll() {
    connect(m_history, &HistoryReader::loaded, this, &SessionWindow::showStored);
    connect(m_history, &HistoryReader::loadFailed, this, &SessionWindow::loadFailed);
    connect(m_counter, &SessionCounter::failed, this, &SessionWindow::showError);
    connect(m_pane, &TranscriptPane::partWanted, this, &SessionWindow::goToPart);
    connect(&m_selection, &Selection::historyChanged, this, &SessionWindow::refreshActions);
    auto* hover = new QLabel;
    hover->setTextFormat(Qt::PlainText);
    statusBar()->addWidget(hover, 1);
    connect(m_pane->transcript(), &TranscriptView::hoverText, hover, &QLabel::setText);
    for (DockView* view : m_docks->views().all()) {
        connect(view, &DockView::hoverText, hover, &QLabel::setText);
        connect(view, &DockView::failed, this, &SessionWindow::showError);
    }
}

// ---------------------------------------------------------------- what is shown

void SessionWindow::showStored(const std::shared_ptr<const StoredSession>& stored) {
    const auto selected = m_parts.tokenOf(m_selection.position());
    const SelectionPoint before = m_selection.current();
    if (m_model && m_model->fingerprint != stored->info.modelFingerprint) {
        m_model.reset();
    }
    clear(stored->info.shape);
    m_parts.begin(*stored);
    m_writer.write(*stored, promptsOf(*stored, m_model ? m_model->tokens.get() : nullptr));
    m_pane->setPart(part());
    m_parts.end(selected, before, &m_selection, m_pane->transcript());
    m_feeder->setRule(ruleOf(*stored));
    m_feeder->refresh();
    m_counter->count(stored, m_model ? m_model->bias : BiasByRow());
    const auto changed = m_writer.interventionsOf(m_store.size() - 1);
    setExportLabel(this,
                   changed && !changed->empty()
                       ? tr("Changed routing: %1")
                             .arg(QString::fromStdString(describe(*changed, &stored->info.shape)))
                       : QString());
    showTitle(QString::fromStdString(stored->summary.title));
    m_notices->showNotice(NoticeBar::Kind::Info, {});
    m_loaded = true;
    refreshActions();
    if (const auto wanted = std::exchange(m_wanted, std::nullopt)) {
        selectToken(wanted->first, wanted->second);
    }
}

void SessionWindow::selectToken(int turn, std::int64_t seq) {
    if (!m_loaded) {
        m_wanted.emplace(turn, seq);
    } else if (const std::int32_t number = m_writer.numberOf(turn, seq); number >= 0) {
        m_selection.setPosition(number);
    }
}

void SessionWindow::clear(const RoutingShape& shape) {
    m_store.reset(shape, m_model ? m_model->tokens : nullptr);
    m_writer.clear();
    m_writer.setModel(m_model);
    m_feeder->setModel(m_model);
    m_pane->transcript()->clearTranscript();
    m_pane->setMarkText({});
    m_selection.reset();
    SelectionPoint point;
    point.session = m_session;
    if (!shape.layers.empty()) {
        point.layer = shape.layers.back();
    }
    m_selection.replace(point);
    m_feeder->clear();
}

void SessionWindow::goToPart(SessionParts::Part which) {
    if (const auto request = m_parts.has(which) ? m_parts.want(which) : std::nullopt) {
        m_history->load(m_session, *request);
    }
}

void SessionWindow::showTitle(const QString& title) {
    QString text = visibleText(title, kTitleChars);
    text.replace(QStringLiteral("[*]"), QStringLiteral("[*][*]"));  // else Qt's mark of changes
    setWindowTitle(tr("%1 (read-only) – Gatescope").arg(text));
}

/// Of another part, or of all of it: then there is nothing else to look at.
void SessionWindow::loadFailed(const QString& error) {
    m_parts.forgetWanted();
    if (m_loaded) {
        showError(error);
        return;
    }
    m_message->setText(visibleText(error));
    m_message->show();
    m_pane->hide();
    m_docks->hideAll();
}

QString SessionWindow::message() const {
    return m_message->text();
}

void SessionWindow::showError(const QString& text) {
    m_notices->showNotice(NoticeBar::Kind::Error, text);
}

// ---------------------------------------------------------------- menus

QAction* SessionWindow::add(QMenu* menu, const QString& text, const QList<QKeySequence>& keys) {
    QAction* action = menu->addAction(text);
    action->setShortcuts(keys);
    return action;
}

void SessionWindow::addSessionMenu() {
    QMenu* menu = menuBar()->addMenu(tr("&Session"));
    connect(add(menu, tr("&Find…"), {QKeySequence(Qt::CTRL | Qt::Key_F)}), &QAction::triggered,
            m_pane->findBar(), &FindBar::open);
    m_earlier = add(menu, tr("Show earl&ier"), {QKeySequence(Qt::ALT | Qt::Key_PageUp)});
    m_later = add(menu, tr("Show la&ter"), {QKeySequence(Qt::ALT | Qt::Key_PageDown)});
    connect(m_earlier, &QAction::triggered, this,
            [this] { goToPart(SessionParts::Part::Earlier); });
    connect(m_later, &QAction::triggered, this, [this] { goToPart(SessionParts::Part::Later); });
    menu->addSeparator();
    connect(add(menu, tr("&Close"), {QKeySequence(Qt::CTRL | Qt::Key_W)}), &QAction::triggered,
            this, &QWidget::close);
}

void SessionWindow::addViewMenu() {
    QMenu* menu = menuBar()->addMenu(tr("&View"));
    m_docks->fillMenu(menu->addMenu(tr("&Docks")));
    menu->addSeparator();
    TranscriptView* transcript = m_pane->transcript();
    const auto zoom = [transcript](int steps) {
        return [transcript, steps] {
            transcript->setZoom(steps == 0 ? 0 : transcript->zoom() + steps);
        };
    };
    connect(add(menu, tr("Larger &text"),
                {QKeySequence(Qt::CTRL | Qt::Key_Equal), QKeySequence(Qt::CTRL | Qt::Key_Plus)}),
            &QAction::triggered, this, zoom(1));
    connect(add(menu, tr("S&maller text"), {QKeySequence(Qt::CTRL | Qt::Key_Minus)}),
            &QAction::triggered, this, zoom(-1));
    connect(add(menu, tr("&Normal text"), {QKeySequence(Qt::CTRL | Qt::Key_0)}),
            &QAction::triggered, this, zoom(0));
    menu->addSeparator();
    m_back = add(menu, tr("Selection &back"), {QKeySequence(Qt::ALT | Qt::Key_Left)});
    m_forward = add(menu, tr("Selection &forward"), {QKeySequence(Qt::ALT | Qt::Key_Right)});
    connect(m_back, &QAction::triggered, &m_selection, &Selection::back);
    connect(m_forward, &QAction::triggered, &m_selection, &Selection::forward);
    RoutingView* routing = m_docks->views().routing;
    connect(routing, &RoutingView::settingsChanged, m_docks,
            [views = m_docks->views()] { views.balance->setPhases(views.routing->phases()); });
}

void SessionWindow::refreshActions() {
    m_earlier->setEnabled(m_parts.has(SessionParts::Part::Earlier));
    m_later->setEnabled(m_parts.has(SessionParts::Part::Later));
    m_back->setEnabled(m_selection.canGoBack());
    m_forward->setEnabled(m_selection.canGoForward());
}

}  // namespace gatescope
