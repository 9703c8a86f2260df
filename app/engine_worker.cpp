// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/engine_worker.h"

#include <fmt/format.h>

#include <QElapsedTimer>
#include <algorithm>
#include <iterator>

#include "app/stored_counts.h"
#include "app/stored_prompts.h"
#include "app/token_table.h"
#include "engine/analysis/uniform_router.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/demo_model.h"
#include "engine/model/router.h"
#include "engine/session/model_session.h"
#include "engine/session/session_pages.h"
#include "engine/session/session_recorder.h"

namespace gatescope {
namespace {

constexpr int kProgressMs = 50;
constexpr std::size_t kTitleChars = 60;

QString toText(const std::string& text) {
    return QString::fromStdString(text);
}

/// What the newest answer that stands began with; nothing where its beginning is not at hand.
std::vector<TokenEvent> givenIn(const StoredSession& stored) {
    const StoredTurn* last = nullptr;
    for (const StoredTurn& turn : stored.turns) {
        last = turn.role == Role::Assistant && !turn.replaced ? &turn : last;
    }
    if (last == nullptr) {
        return {};
    }
    const bool cut = last == &stored.turns.front() && stored.extent.cutBefore > 0;
    if (cut || std::ssize(last->tokens) < last->givenTokens) {
        return {};
    }
    return {last->tokens.begin(), last->tokens.begin() + last->givenTokens};
}

std::string titleOf(const QString& message) {
    QString title = message.simplified();
    if (title.size() > static_cast<qsizetype>(kTitleChars)) {
        title = title.left(kTitleChars - 1) + QChar(0x2026);
    }
    return title.toStdString();
}

std::shared_ptr<const ModelFacts> factsOf(LoadedModel& model) {
    auto card = std::make_shared<ModelFacts>();
    card->name = toText(model.name());
    card->dir = model.dir();
    card->fingerprint = model.fingerprint();
    card->device = toText(model.deviceName());
    card->precision = toText(model.precisionName());
    card->config = model.config();
    card->shape = model.routingShape();
    card->bias = routerBiasByRow(model.decoder());
    try {
        if (auto history = readBiasHistory(model.dir(), card->shape)) {
            card->biasHistory = std::make_shared<const BiasHistory>(std::move(*history));
        }
    } catch (const std::exception& error) {
        card->biasHistoryProblem = toText(error.what());
    }
    card->contextLimit = model.decoder().maxContext();
    card->weightBytes = model.weightBytes();
    card->demo = isDemoModel(model.dir());
    card->canChat = model.hasTokenizer();
    if (card->canChat) {
        card->tokens = std::make_shared<const TokenTable>(model.tokenizer());
    }
    return card;
}

}  // namespace

EngineWorker::EngineWorker(std::shared_ptr<LiveFeed> feed, std::filesystem::path sessionFile)
    : m_feed(std::move(feed)), m_sessionFile(std::move(sessionFile)) {}

EngineWorker::~EngineWorker() = default;

void EngineWorker::openLog() {
    try {
        m_log = SessionLog::open(m_sessionFile);
        m_openLog = m_log.get();
        m_log->onError([this](const std::string& error) { Q_EMIT notice(toText(error)); });
        if (!m_log->notice().empty()) {
            Q_EMIT notice(toText(m_log->notice()));
        }
        Q_EMIT sessionsChanged();
    } catch (const std::exception& error) {
        Q_EMIT notice(tr("This conversation is not recorded: %1").arg(toText(error.what())));
    }
}

void EngineWorker::load(const LoadRequest& request) {
    QElapsedTimer sinceProgress;
    const auto progress = [&](std::string_view what, std::uint64_t done, std::uint64_t total) {
        if (!sinceProgress.isValid() || sinceProgress.elapsed() >= kProgressMs) {
            sinceProgress.start();
            Q_EMIT loadProgress(QString::fromUtf8(what.data(), static_cast<qsizetype>(what.size())),
                                done, total);
        }
        return !request.stop.stop_requested();
    };
    try {
        const bool onGpu = m_model != nullptr && m_model->device().memory().has_value();
        if (onGpu && request.options.device.name != "cpu") {
            // A GPU seldom has room for two models.
            m_conversation.reset();
            m_model.reset();
            beginFresh();
            Q_EMIT modelReleased();
        }
        std::unique_ptr<LoadedModel> model =
            LoadedModel::load(request.dir, request.options, progress);
        m_conversation.reset();
        m_model = std::move(model);
        if (const RoutingShape& shape = m_model->routingShape(); shape.experts > 0) {
            uniformNull(shape.experts, shape.topK, 1);  // or the window waits for its first use
        }
        beginFresh();
        Q_EMIT loaded(factsOf(*m_model));
    } catch (const Cancelled&) {
        Q_EMIT loadFailed({});
    } catch (const std::exception& error) {
        Q_EMIT loadFailed(toText(error.what()));
    }
}

void EngineWorker::beginFresh() {
    m_session = -1;
    m_answerTurn = -1;
    m_given.clear();
    m_closed = false;
    m_conversation.reset();
    m_analysis.reset();
    m_analysisBeforeAnswer.reset();
    m_promptRouting.clear();
    m_counted.clear();
    m_cache.reset();
    if (m_model == nullptr) {
        return;
    }
    m_conversation = std::make_unique<Conversation>(*m_model);
    beginAnalysis(nullptr);
}

/// Nothing is counted; shape and bias are those of runs under these interventions.
void EngineWorker::beginAnalysis(std::shared_ptr<const Interventions> interventions) {
    m_analysis.emplace(analysisUnder(interventions, m_model->routingShape(),
                                     routerBiasByRow(m_model->decoder()), m_shadow));
    m_countedInterventions = std::move(interventions);
    m_counted.clear();
}

void EngineWorker::restartShadow(const ShadowRequest& request) {
    m_shadow = request.params;
    if (!m_analysis) {
        return;
    }
    m_analysis->restartShadow(request.params);
    for (const auto& token : request.main) {
        m_analysis->addToShadow(*token, false);
    }
    for (const auto& token : request.mtp) {
        m_analysis->addToShadow(*token, true);
    }
    publishFrame();
}

void EngineWorker::newSession() {
    beginFresh();
    Q_EMIT sessionReady();
}

void EngineWorker::answer(const PromptRequest& request) {
    if (m_conversation == nullptr || m_closed) {
        Q_EMIT promptRefused(request.text, tr("No model is ready to answer."));
        return;
    }
    Conversation::Prepared prepared;
    std::shared_ptr<AnswerStart> start;
    try {
        start = prepare(request, prepared);
    } catch (const std::exception& error) {
        Q_EMIT promptRefused(request.text, toText(error.what()));
        return;
    }
    if (request.again) {
        takeBackCounts();
    } else {
        m_given = request.given;
    }
    start->given = static_cast<int>(m_given.size());
    if (!sameInterventions(request.params.interventions, m_countedInterventions)) {
        beginAnalysis(request.params.interventions);  // two ways of routing are never mixed
    }
    m_analysisBeforeAnswer = m_analysis;
    const LogPlace place = logTurn(request, prepared);
    start->session = place.session;
    start->turn = place.turn;
    m_feed->hold();
    Q_EMIT answerStarted(start);
    Q_EMIT answerEnded(run(request, prepared, place));
    if (m_log != nullptr) {
        m_log->flush();
        Q_EMIT sessionsChanged();
    }
}

std::shared_ptr<const AnswerEnd> EngineWorker::run(const PromptRequest& request,
                                                   const Conversation::Prepared& prepared,
                                                   const LogPlace& place) {
    auto end = std::make_shared<AnswerEnd>();
    const std::vector<TokenId> context = contextOf(prepared);
    const auto same =
        std::mismatch(context.begin(), context.end(), m_counted.begin(), m_counted.end());
    AnswerSink sink(*m_feed, *m_analysis, static_cast<std::size_t>(same.first - context.begin()),
                    context.size());
    dropUncounted(prepared);
    std::optional<SessionRecorder> recorder;
    if (place.log != nullptr) {
        recorder.emplace(*place.log, place.session, place.turn, sink);
    }
    GenerationSink& first = recorder ? static_cast<GenerationSink&>(*recorder) : sink;
    try {
        end->result =
            m_conversation->answer(prepared, request.params, first, request.stop, m_given);
        const std::string& shown = sink.streamedText();
        if (end->result.text.starts_with(shown)) {
            end->textRest = toText(end->result.text.substr(shown.size()));
        }
        if (place.log != nullptr) {
            place.log->endAnswer(place.session, place.turn, end->result);
        }
    } catch (const std::exception& error) {
        end->error = toText(error.what());
    }
    sink.publish();
    m_promptRouting = std::move(sink.promptRouting());
    const auto routed = m_model->decoder().tokens();
    m_counted.assign(routed.begin(), routed.end());
    m_cache = m_model->decoder().cacheUse();
    return end;
}

std::shared_ptr<AnswerStart> EngineWorker::prepare(const PromptRequest& request,
                                                   Conversation::Prepared& prepared) {
    prepared = request.again ? m_conversation->prepareAgain()
                             : m_conversation->prepare(request.text.toStdString());
    auto start = std::make_shared<AnswerStart>();
    const auto& messages = m_conversation->messages();
    const std::string message = messages.empty() ? std::string() : messages.back().text;
    start->message = toText(message);
    start->again = request.again;
    start->prompt = promptValue(prepared.ids, message);
    start->newlyDropped = prepared.droppedMessages;
    start->room = prepared.room;
    start->interventions = request.params.interventions;
    return start;
}

LogPlace EngineWorker::logTurn(const PromptRequest& request,
                               const Conversation::Prepared& prepared) {
    if (m_log == nullptr) {
        return {};
    }
    try {
        return writeTurn(request, prepared);
    } catch (const std::exception& error) {
        Q_EMIT notice(tr("This answer is not recorded: %1").arg(toText(error.what())));
        return {};
    }
}

LogPlace EngineWorker::writeTurn(const PromptRequest& request,
                                 const Conversation::Prepared& prepared) {
    if (m_session < 0) {
        m_session = m_log->beginSession(sessionInfo(*m_model, titleOf(request.text)));
    }
    if (request.again) {
        if (m_answerTurn >= 0) {
            m_log->replaceTurn(m_session, m_answerTurn);
        }
    } else {
        m_log->addUserTurn(m_session, request.text.toStdString());
    }
    m_answerTurn = m_log->beginAnswer(m_session, m_conversation->completed(request.params),
                                      prepared.droppedMessages, static_cast<int>(m_given.size()));
    m_log->promptTokens(m_session, m_answerTurn, prepared.ids);
    Q_EMIT sessionsChanged();
    return {m_log.get(), m_session, m_answerTurn};
}

/// The answer that is made again no longer counts, but its prompt does: the new answer reuses those
/// positions from the cache and will not record them again.
void EngineWorker::takeBackCounts() {
    if (!m_analysisBeforeAnswer) {
        return;
    }
    m_analysis = m_analysisBeforeAnswer;
    addPrompt(*m_analysis, m_promptRouting);
}

/// What the answer goes on from.
std::vector<TokenId> EngineWorker::contextOf(const Conversation::Prepared& prepared) const {
    std::vector<TokenId> ids = prepared.ids;
    std::transform(m_given.begin(), m_given.end(), std::back_inserter(ids),
                   [](const TokenEvent& token) { return token.id; });
    return ids;
}

/// What the cache holds from another session is computed again, or this one would have no routing
/// of it; and so is what the answer is given, which stands with the answer itself.
void EngineWorker::dropUncounted(const Conversation::Prepared& prepared) {
    const auto same =
        std::mismatch(prepared.ids.begin(), prepared.ids.end(), m_counted.begin(), m_counted.end());
    const std::int64_t counted = same.first - prepared.ids.begin();
    const bool untilTheEnd = same.first == prepared.ids.end() && m_given.empty();
    if (!untilTheEnd && m_model->decoder().length() > counted) {
        m_model->decoder().truncate(counted);
    }
}

// ---------------------------------------------------------------- branches

void EngineWorker::branch(const BranchRequest& request) {
    if (m_conversation == nullptr || m_closed || m_log == nullptr ||
        m_session != request.from.session) {
        Q_EMIT promptRefused(request.text, tr("Only a session that is recorded can be branched."));
        return;
    }
    PromptRequest prompt{request.text, false, request.params, request.stop, {}};
    try {
        m_log->flush();
        prompt.given = givenTo(request);
        const SessionLog::Branch branch =
            m_log->beginBranch(sessionInfo(*m_model, titleOf(request.text)), request.from);
        if (request.text.isEmpty()) {
            prompt.text = toText(branch.question);
        }
        openSession(std::make_shared<const StoredSession>(
            SessionPages(m_sessionFile).load(branch.session)));
    } catch (const std::exception& error) {
        Q_EMIT promptRefused(request.text, toText(error.what()));
        return;
    }
    answer(prompt);
}

/// As they stand in the file, with what was recorded of them.
std::vector<TokenEvent> EngineWorker::givenTo(const BranchRequest& request) const {
    if (request.expected < 0) {
        return {};
    }
    std::vector<TokenEvent> given =
        SessionStore(m_sessionFile).tokens(request.from.session, request.from.turn);
    const auto seq = static_cast<std::size_t>(request.from.seq);
    if (seq >= given.size() || given[seq].id != request.expected) {
        throw Error(fmt::format("turn {} of session {} is not the answer on screen",
                                request.from.turn, request.from.session));
    }
    given.resize(seq);
    if (request.instead) {
        given.push_back(*request.instead);
    }
    return given;
}

PromptValue EngineWorker::promptValue(const std::vector<TokenId>& ids,
                                      const std::string& message) const {
    PromptValue value;
    const Tokenizer& tokenizer = m_model->tokenizer();
    for (const TokenId id : ids) {
        value.pieces.push_back({id, std::string(tokenizer.bytes(id)), tokenizer.isAdded(id)});
    }
    const std::vector<TokenId> wanted = tokenizer.encode(message, false);
    const auto found = std::find_end(ids.begin(), ids.end(), wanted.begin(), wanted.end());
    if (!wanted.empty() && found != ids.end()) {
        value.messageBegin = static_cast<std::size_t>(found - ids.begin());
        value.messageEnd = value.messageBegin + wanted.size();
    }
    return value;
}

// ---------------------------------------------------------------- stored sessions

void EngineWorker::openSession(std::shared_ptr<const StoredSession> stored) {
    auto opened = std::make_shared<OpenedSession>();
    opened->stored = *stored;
    opened->prompts.resize(stored->turns.size());
    beginFresh();
    const bool sameModel = m_model != nullptr &&
                           m_model->fingerprint() == stored->info.modelFingerprint &&
                           m_model->hasTokenizer();
    std::string message;
    for (std::size_t i = 0; i < stored->turns.size(); ++i) {
        const StoredTurn& turn = stored->turns[i];
        if (turn.role == Role::User) {
            message = turn.text;
        } else if (sameModel) {
            opened->prompts[i] = promptValue(turn.promptIds, message);
        } else {
            opened->prompts[i] = promptOfIds(turn.promptIds);
        }
    }
    countStored(*stored);
    opened->canContinue = sameModel;
    m_closed = !sameModel;
    if (sameModel) {
        continueStored(*stored);
    }
    Q_EMIT sessionOpened(opened);
    publishFrame();
}

void EngineWorker::publishFrame() {
    if (!m_analysis) {
        return;
    }
    auto frame = std::make_shared<LiveFrame>();
    fillFrame(*frame, *m_analysis, m_feed->wants());
    frame->cache = m_cache;
    m_feed->publish(std::move(frame));
}

void EngineWorker::countStored(const StoredSession& stored) {
    const bool sameModel =
        m_model != nullptr && m_model->fingerprint() == stored.info.modelFingerprint;
    StoredCounts counts = countSession(
        stored, sameModel ? routerBiasByRow(m_model->decoder()) : BiasByRow(), m_shadow);
    m_analysis = std::move(counts.analysis);
    m_analysisBeforeAnswer = std::move(counts.beforeAnswer);
    m_promptRouting = std::move(counts.promptRouting);
    m_counted = std::move(counts.counted);
    m_countedInterventions = std::move(counts.interventions);
    m_cache = counts.cache;
}

/// The messages of a session of which only a part was read.
std::vector<ChatMessage> EngineWorker::historyOf(const SessionExtent& extent) {
    std::vector<ChatMessage> history;
    for (const StoredMessage& message : extent.messages) {
        if (message.replaced) {
            continue;
        }
        const bool answer = message.role == Role::Assistant;
        history.push_back({message.role, answer ? m_model->chatFormat().historyText(message.text)
                                                : message.text});
        if (answer) {
            m_answerTurn = message.turn;
        }
    }
    return history;
}

void EngineWorker::continueStored(const StoredSession& stored) {
    std::vector<ChatMessage> history = historyOf(stored.extent);
    for (const StoredTurn& turn : stored.turns) {
        if (turn.replaced || !stored.extent.whole()) {
            continue;
        }
        const bool answer = turn.role == Role::Assistant;
        history.push_back(
            {turn.role, answer ? m_model->chatFormat().historyText(turn.text) : turn.text});
        if (answer) {
            m_answerTurn = turn.turn;
        }
    }
    m_conversation = std::make_unique<Conversation>(*m_model, std::move(history));
    m_session = stored.summary.id;
    m_given = givenIn(stored);
}

}  // namespace gatescope
