// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/chat_controller.h"

#include "app/changed_routing_bar.h"
#include "app/chat_pane.h"
#include "app/loading_bar.h"
#include "engine/model/demo_model.h"
#include "engine/model/interventions.h"
#include "engine/text/utf8_stream.h"
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
    : QObject(parent), m_engine(engine), m_pane(pane), m_selection(selection), m_store(store) {
    connect(engine, &EngineClient::loadProgress, pane->loading(), &LoadingBar::setProgress);
    connect(engine, &EngineClient::loaded, this, &ChatController::onLoaded);
    connect(engine, &EngineClient::modelReleased, this, [this] { m_model.reset(); });
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
    return m_state == ChatState::Ready && m_answerFirst >= 0;
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
    const std::int32_t begin = m_answerFirst >= 0 ? m_store->contextPosition(m_answerFirst) : -1;
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
    m_answerFirst = -1;
    m_answerInterventions.reset();
    m_exchanges.clear();
    m_nextExchange = {};
    setFollowing(false);
    m_pane->transcript()->setStreaming(false);
    m_pane->transcript()->clearTranscript();
    m_pane->setMarkText({});
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
    if (start.again && m_answerFirst >= 0) {
        transcript->removeLastAnswer();
        countInPart(-static_cast<std::int64_t>(m_store->size() - m_answerFirst));
        m_store->truncate(m_answerFirst);
        if (!m_exchanges.empty()) {
            m_nextExchange = m_exchanges.back();
            m_exchanges.pop_back();
        }
    }
    const std::vector<std::int32_t> numbers = m_store->setPrompt(start.prompt.pieces);
    if (!start.again) {
        showUserTurn(start.message, start.prompt, numbers);
    }
    if (start.newlyDropped > 0) {
        showNotice(droppedText(start.newlyDropped));
    }
    if (!start.again) {
        showGiven(start.given);
    }
    beginAnswer(start.interventions, start.turn);
    m_answerTokens = 0;
    transcript->beginTurn(Turn::Answer);
    transcript->setStreaming(true);
    setFollowing(true);
    Q_EMIT sessionChanged();
}

/// Two ways of routing are never counted together.
void ChatController::beginAnswer(std::shared_ptr<const Interventions> interventions, int turn,
                                 std::int64_t firstSeq) {
    const Interventions none;
    const bool same = (m_answerInterventions ? *m_answerInterventions : none) ==
                      (interventions ? *interventions : none);
    m_answerInterventions = std::move(interventions);
    m_answerFirst = m_store->size();
    m_nextExchange.turn = turn;
    m_nextExchange.answer = m_answerFirst;
    m_nextExchange.firstSeq = firstSeq;
    m_exchanges.push_back(std::exchange(m_nextExchange, {}));
    m_store->beginAnswer(!same);
}

void ChatController::showUserTurn(const QString& message, const PromptValue& prompt,
                                  const std::vector<std::int32_t>& numbers) {
    TranscriptView* transcript = m_pane->transcript();
    transcript->beginTurn(Turn::User);
    m_nextExchange = {};
    m_nextExchange.text = message;
    std::vector<TranscriptToken> tokens;
    QString together;
    Utf8Stream stream;
    for (std::size_t i = prompt.messageBegin; i < prompt.messageEnd && i < numbers.size(); ++i) {
        std::string text = stream.push(prompt.pieces[i].bytes);
        text += i + 1 == prompt.messageEnd ? stream.flush() : std::string();
        tokens.push_back({numbers[i], QString::fromStdString(text), TokenEvent::Draft::None});
        together += tokens.back().text;
    }
    if (together != message) {  // the tokens could not be told apart from the markers
        transcript->appendText(message);
    } else {
        for (const TranscriptToken& token : tokens) {
            transcript->append(token);
        }
        if (!tokens.empty()) {
            m_nextExchange.question = tokens.front().position;
            m_nextExchange.questionEnd = tokens.back().position + 1;
        }
    }
    transcript->flush();
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
        showFinish(end->result.finish);
    }
    showChangedRouting(m_answerInterventions.get());
    Q_EMIT answerFinished(end);
}

void ChatController::showFinish(Finish finish) {
    switch (finish) {
        case Finish::Stop:
        case Finish::StopString:
            break;
        case Finish::Length:
            showNotice(tr("The answer ends here: it reached the limit of new tokens."));
            break;
        case Finish::Context:
            showNotice(tr("The answer ends here: the context is full."));
            break;
        case Finish::Cancelled:
            showNotice(tr("Stopped."));
            break;
    }
}

void ChatController::showChangedRouting(const Interventions* interventions) {
    if (interventions != nullptr && !interventions->empty()) {
        showNotice(tr("This answer was made with changed routing: %1")
                       .arg(QString::fromStdString(
                           describe(*interventions, m_model ? &m_model->shape : nullptr))));
    }
}

void ChatController::showNotice(const QString& text) {
    m_pane->transcript()->beginTurn(Turn::Notice);
    m_pane->transcript()->appendText(text);
    m_pane->transcript()->flush();
}

QString ChatController::droppedText(int messages) const {
    const QString context = m_model == nullptr
                                ? tr("the context")
                                : tr("the %1-token context").arg(m_model->contextLimit);
    return messages == 1 ? tr("The oldest message no longer fits %1 and was dropped.").arg(context)
                         : tr("The %1 oldest messages no longer fit %2 and were dropped.")
                               .arg(messages)
                               .arg(context);
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
