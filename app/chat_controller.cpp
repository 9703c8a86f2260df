// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/chat_controller.h"

#include "app/changed_routing_bar.h"
#include "app/chat_pane.h"
#include "app/loading_bar.h"
#include "engine/model/demo_model.h"
#include "engine/model/interventions.h"
#include "views/chat_input.h"
#include "views/empty_chat.h"
#include "views/formats.h"
#include "views/selection.h"
#include "views/transcript_view.h"
#include "views/view_export.h"

namespace gatescope {
namespace {

using Turn = TranscriptView::Turn;

QString folderName(const std::filesystem::path& dir) {
    const std::string name =
        dir.has_filename() ? dir.filename().string() : dir.parent_path().filename().string();
    return QString::fromStdString(name.empty() ? dir.string() : name);
}

QStringList examplePrompts(const ModelFacts& model) {
    QStringList prompts;
    if (model.demo) {
        for (const std::string& prompt : demoModelPrompts()) {
            prompts.append(QString::fromStdString(prompt));
        }
        return prompts;
    }
    return {ChatController::tr("Explain what a mixture of experts is."),
            ChatController::tr("Write a Python function that returns the median of a list."),
            ChatController::tr("Write a short poem about the sea.")};
}

}  // namespace

ChatController::ChatController(EngineClient* engine, ChatPane* pane, Selection* selection,
                               TraceStore* store, QObject* parent)
    : QObject(parent),
      m_engine(engine),
      m_pane(pane),
      m_selection(selection),
      m_store(store),
      m_writer(pane->transcript(), store, &m_parts) {
    connect(engine, &EngineClient::loadProgress, pane->loading(), &LoadingBar::setProgress);
    connect(engine, &EngineClient::loaded, this, &ChatController::onLoaded);
    connect(engine, &EngineClient::modelReleased, this, [this] {
        m_model.reset();
        m_writer.setModel(nullptr);
    });
    connect(engine, &EngineClient::loadFailed, this, &ChatController::onLoadFailed);
    connect(engine, &EngineClient::answerStarted, this,
            [this](const auto& start) { onAnswerStarted(*start); });
    connect(engine, &EngineClient::promptRefused, this, &ChatController::onPromptRefused);
    connect(engine, &EngineClient::batch, this, &ChatController::onBatch);
    connect(engine, &EngineClient::answerEnded, this, &ChatController::onAnswerEnded);
    connect(engine, &EngineClient::sessionOpened, this,
            [this](const auto& opened) { onSessionOpened(*opened); });
    connect(engine, &EngineClient::notice, this, [this](const QString& text) {
        showError(text);
        m_errorPasses = false;  // what concerns the recording stays until it is closed
    });
    connect(pane->loading(), &LoadingBar::cancelled, engine, &EngineClient::cancelLoad);
    connect(pane->input(), &ChatInput::submitted, this, &ChatController::send);
    connect(pane->input(), &ChatInput::stopRequested, this, &ChatController::stop);
    connect(pane->changedRouting(), &ChangedRoutingBar::resetRequested, this,
            [this] { setInterventions(nullptr); });
    connect(pane->empty(), &EmptyChat::promptChosen, this, &ChatController::send);
    connect(selection, &Selection::changed, this, &ChatController::onSelectionChanged);
    connectParts();
    showEmptyChat();
    refreshInput();
}

void ChatController::setSettings(const ChatSettings& settings) {
    m_settings = settings;
    Q_EMIT settingsChanged();
}

void ChatController::setInterventions(std::shared_ptr<const Interventions> interventions) {
    m_interventions = interventions && !interventions->empty() ? std::move(interventions) : nullptr;
    const RoutingShape* shape = m_model ? &m_model->shape : nullptr;
    const QString text =
        m_interventions ? QString::fromStdString(describe(*m_interventions, shape)) : QString();
    m_pane->changedRouting()->setChange(text);
    setExportLabel(m_pane->window(), text.isEmpty() ? text : tr("Changed routing: %1").arg(text));
    Q_EMIT interventionsChanged();
}

GenerationParams ChatController::params() const {
    GenerationParams params = m_settings.params(m_model->config.hasMtp());
    params.interventions = m_interventions;
    return params;
}

void ChatController::setState(ChatState state) {
    m_state = state;
    refreshInput();
    Q_EMIT stateChanged();
}

/// Of a fresh session.
ChatState ChatController::idleState() const {
    return m_model == nullptr ? ChatState::NoModel
           : m_model->canChat ? ChatState::Ready
                              : ChatState::Closed;
}

void ChatController::refreshInput() {
    ChatInput* input = m_pane->input();
    switch (m_state) {
        case ChatState::NoModel:
            input->setState(ChatInput::State::Closed, tr("Open a model folder to begin"));
            break;
        case ChatState::Loading:
            input->setState(ChatInput::State::Closed, tr("Loading the model…"));
            break;
        case ChatState::Ready:
            input->setState(ChatInput::State::Ready);
            break;
        case ChatState::Answering:
            input->setState(ChatInput::State::Answering);
            break;
        case ChatState::Closed:
            input->setState(ChatInput::State::Closed, m_closedReason);
            break;
    }
}

// ---------------------------------------------------------------- model

void ChatController::loadModel(const std::filesystem::path& dir) {
    if (m_state == ChatState::Answering || m_state == ChatState::Loading) {
        showError(m_state == ChatState::Answering
                      ? tr("Stop the answer (Esc) before opening another model.")
                      : tr("Another model is being loaded; cancel that first."));
        return;
    }
    m_loadingDir = dir;
    hideError();
    m_pane->loading()->start(folderName(dir));
    setState(ChatState::Loading);
    if (m_model == nullptr) {
        showEmptyChat();
    }
    m_engine->load(dir, m_loadOptions);
}

void ChatController::onLoaded(std::shared_ptr<const ModelFacts> model) {
    m_pane->loading()->finish();
    m_model = std::move(model);
    m_writer.setModel(m_model);
    m_loadedOptions = m_loadOptions;
    setInterventions(nullptr);
    clearConversation(m_model->shape, m_model->tokens);
    m_closedReason = tr("%1 has no tokenizer.json, so it cannot chat").arg(m_model->name);
    setState(idleState());
    showEmptyChat();
    Q_EMIT modelLoaded();
    Q_EMIT sessionChanged();
    if (!m_queuedPrompt.isEmpty()) {
        send(std::exchange(m_queuedPrompt, {}));
    }
}

void ChatController::onLoadFailed(const QString& error) {
    m_pane->loading()->finish();
    m_queuedPrompt.clear();
    // The model from before is still in the engine, unless it had to make room on a GPU.
    m_loadOptions = m_loadedOptions.value_or(m_loadOptions);
    setState(idleState());
    showEmptyChat();
    if (!error.isEmpty()) {
        showError(error);
        Q_EMIT modelRefused(QString::fromStdString(m_loadingDir.string()));
    }
}

// ---------------------------------------------------------------- conversation

void ChatController::send(const QString& message) {
    if (message.trimmed().isEmpty()) {
        return;
    }
    if (m_state == ChatState::Loading) {
        m_queuedPrompt = message;
        return;
    }
    if (m_state != ChatState::Ready) {
        m_pane->input()->setText(message);
        return;
    }
    if (sendFromNewest(message)) {
        return;
    }
    hideError();
    setState(ChatState::Answering);
    m_engine->send(message, params());
}

void ChatController::stop() {
    if (m_state == ChatState::Answering) {
        m_engine->stop();
    }
}

bool ChatController::canRegenerate() const {
    return m_state == ChatState::Ready && m_writer.answerFirst() >= 0;
}

void ChatController::regenerate() {
    if (!canRegenerate()) {
        return;
    }
    if (m_settings.sampling.temperature > 0) {
        ChatSettings next = m_settings;
        ++next.sampling.seed;  // the same seed would give the same answer
        setSettings(next);
    }
    setState(ChatState::Answering);
    m_engine->regenerate(params());
}

ChatController::LastAnswer ChatController::lastAnswer() const {
    LastAnswer last;
    const std::int32_t first = m_writer.answerFirst();
    const std::int32_t begin = first >= 0 ? m_store->contextPosition(first) : -1;
    if (begin > 0) {
        last.prompt = m_store->contextIds();
        last.answer.assign(last.prompt.begin() + begin, last.prompt.end());
        last.prompt.resize(static_cast<std::size_t>(begin));
    }
    return last;
}

void ChatController::newSession() {
    if (m_state == ChatState::Answering || m_state == ChatState::Loading) {
        showError(tr("Stop the answer (Esc) before beginning a new session."));
        return;
    }
    clearConversation(m_model != nullptr ? m_model->shape : RoutingShape(),
                      m_model != nullptr ? m_model->tokens : nullptr);
    setState(idleState());
    m_engine->newSession();
    showEmptyChat();
    Q_EMIT sessionChanged();
    m_pane->input()->setFocus(Qt::OtherFocusReason);
}

void ChatController::clearConversation(const RoutingShape& shape,
                                       std::shared_ptr<const TokenTable> tokens) {
    m_store->reset(shape, std::move(tokens));
    m_session.reset();
    clearPart();
    m_writer.clear();
    setFollowing(false);
    m_pane->transcript()->setStreaming(false);
    m_pane->transcript()->clearTranscript();
    m_pane->conversation()->setMarkText({});
    m_selection->reset();
    if (!shape.layers.empty()) {
        SelectionPoint point;
        point.layer = shape.layers.back();
        m_selection->replace(point);
    }
    Q_EMIT sessionCleared();
}

void ChatController::showEmptyChat() {
    m_pane->showTranscript(!m_pane->transcript()->isEmpty());
    EmptyChat* empty = m_pane->empty();
    if (m_state == ChatState::Loading) {
        empty->setContents(tr("Loading %1").arg(folderName(m_loadingDir)),
                           tr("The first message can be written as soon as it is ready."), {},
                           false);
    } else if (m_model == nullptr) {
        empty->setContents(
            tr("No model is open"),
            tr("Open a folder with config.json, tokenizer.json and safetensors files of a "
               "DeepSeek-V3-class model, or drop one here."),
            {}, true);
    } else {
        const QString limits = tr("%1 layers, %2 experts, %3 chosen per token; a conversation "
                                  "holds %4 tokens, then its oldest messages are dropped.")
                                   .arg(m_model->config.numHiddenLayers)
                                   .arg(m_model->shape.experts)
                                   .arg(m_model->shape.topK)
                                   .arg(integerText(m_model->contextLimit));
        empty->setContents(
            m_model->demo ? tr("Ask the demo model") : tr("Ask %1").arg(m_model->name),
            (m_model->demo ? tr("A small model made for this program. ") : QString()) + limits,
            m_model->canChat ? examplePrompts(*m_model) : QStringList(), false);
    }
}

void ChatController::onPromptRefused(const QString& message, const QString& error) {
    setState(ChatState::Ready);
    if (m_pane->input()->text().isEmpty()) {
        m_pane->input()->setText(message);
    }
    showError(error);
}

void ChatController::onAnswerStarted(const AnswerStart& start) {
    TranscriptView* transcript = m_pane->transcript();
    if (m_state != ChatState::Answering) {
        setState(ChatState::Answering);  // a branch was opened before it goes on
    }
    m_pane->showTranscript(true);
    if (start.session >= 0 && m_session != start.session) {
        m_session = start.session;
        SelectionPoint point = m_selection->current();
        point.session = start.session;
        m_selection->replace(point);
    }
    if (const std::int32_t first = m_writer.answerFirst(); start.again && first >= 0) {
        transcript->removeLastAnswer();
        countInPart(-static_cast<std::int64_t>(m_store->size() - first));
        m_store->truncate(first);
        m_writer.takeBack();
    }
    const std::vector<std::int32_t> numbers = m_store->setPrompt(start.prompt.pieces);
    if (!start.again) {
        m_writer.userTurn(start.message, start.prompt, numbers);
    }
    if (start.newlyDropped > 0) {
        m_writer.dropped(start.newlyDropped);
    }
    if (!start.again) {
        m_writer.given(start.given);
    }
    m_writer.beginAnswer(start.interventions, start.turn);
    m_answerTokens = 0;
    transcript->beginTurn(Turn::Answer);
    transcript->setStreaming(true);
    setFollowing(true);
    Q_EMIT sessionChanged();
}

void ChatController::onBatch(const FeedBatch& batch) {
    for (const TokenPiece& piece : batch.tokens) {
        const std::int32_t number = m_store->addToken(piece.event);
        m_pane->transcript()->append(
            {number, QString::fromStdString(piece.text), piece.event.draft});
    }
    for (const auto& step : batch.steps) {
        m_store->addStep(*step);
    }
    m_answerTokens += static_cast<int>(batch.tokens.size());
    countInPart(static_cast<std::int64_t>(batch.tokens.size()));
    follow();
    Q_EMIT tokensArrived(m_answerTokens);
}

/// While the person has not picked a token, the docks show the newest one that was routed.
void ChatController::follow() {
    if (!m_follow) {
        return;
    }
    for (std::int32_t number = m_store->size() - 1; number >= 0; --number) {
        const TraceStore::Entry* entry = m_store->entry(number);
        if (entry->main != nullptr && !entry->special) {
            SelectionPoint point = m_selection->current();
            point.position = number;
            m_following = true;
            m_selection->replace(point);
            m_following = false;
            return;
        }
    }
}

void ChatController::onSelectionChanged() {
    if (!m_following && m_state == ChatState::Answering) {
        setFollowing(false);
    }
}

void ChatController::setFollowing(bool follow) {
    if (m_follow != follow) {
        m_follow = follow;
        Q_EMIT followingChanged();
    }
    this->follow();
}

void ChatController::onAnswerEnded(std::shared_ptr<const AnswerEnd> end) {
    TranscriptView* transcript = m_pane->transcript();
    if (!end->textRest.isEmpty()) {
        transcript->appendText(end->textRest);
    }
    transcript->setStreaming(false);
    transcript->flush();
    setFollowing(false);
    setState(ChatState::Ready);
    if (!end->error.isEmpty()) {
        showError(end->error);
    } else {
        m_writer.finish(end->result.finish);
    }
    m_writer.changedRouting();
    Q_EMIT answerFinished(end);
}

/// What went wrong last time is over when something else begins.
void ChatController::hideError() {
    if (m_errorPasses) {
        m_pane->notices()->showNotice(NoticeBar::Kind::Info, {});
    }
}

void ChatController::showError(const QString& text) {
    m_errorPasses = true;
    m_pane->notices()->showNotice(NoticeBar::Kind::Error, text);
}

}  // namespace gatescope
