// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/engine_worker.h"

#include <fmt/format.h>

#include <QElapsedTimer>
#include <algorithm>

#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/demo_model.h"
#include "engine/session/session_recorder.h"

namespace gatescope {
namespace {

constexpr int kProgressMs = 50;
constexpr std::size_t kTitleChars = 60;

QString toText(const std::string& text) {
    return QString::fromStdString(text);
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
    for (const int layer : card->shape.layers) {
        card->bias.push_back(model.routerBias(layer));
    }
    if (card->shape.mtpLayer >= 0) {
        card->bias.push_back(model.routerBias(card->shape.mtpLayer));
    }
    card->contextLimit = model.decoder().maxContext();
    card->weightBytes = model.weightBytes();
    card->demo = isDemoModel(model.dir());
    card->canChat = model.hasTokenizer();
    return card;
}

}  // namespace

EngineWorker::EngineWorker(std::shared_ptr<LiveFeed> feed, std::filesystem::path sessionFile)
    : m_feed(std::move(feed)), m_sessionFile(std::move(sessionFile)) {}

EngineWorker::~EngineWorker() = default;

void EngineWorker::openLog() {
    try {
        m_log = SessionLog::open(m_sessionFile);
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
    m_closed = false;
    m_conversation.reset();
    m_counter.reset();
    m_countsBeforeAnswer.reset();
    m_promptTokens.clear();
    m_promptMtpTokens.clear();
    if (m_model == nullptr) {
        return;
    }
    m_conversation = std::make_unique<Conversation>(*m_model);
    m_counter.emplace(m_model->routingShape());
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
    }
    m_countsBeforeAnswer = m_counter;
    const LogPlace place = logTurn(request, prepared);
    start->session = place.session;
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
    AnswerSink sink(*m_feed, *m_counter);
    std::optional<SessionRecorder> recorder;
    if (place.log != nullptr) {
        recorder.emplace(*place.log, place.session, place.turn, sink);
    }
    GenerationSink& first = recorder ? static_cast<GenerationSink&>(*recorder) : sink;
    try {
        end->result = m_conversation->answer(prepared, request.params, first, request.stop);
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
    m_promptTokens = std::move(sink.promptTokens());
    m_promptMtpTokens = std::move(sink.promptMtpTokens());
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
        SessionInfo info;
        info.title = titleOf(request.text);
        info.modelName = m_model->name();
        info.modelPath = m_model->dir().string();
        info.modelFingerprint = m_model->fingerprint();
        info.configJson = m_model->configJson();
        info.device = m_model->deviceName();
        info.precision = m_model->precisionName();
        info.shape = m_model->routingShape();
        m_session = m_log->beginSession(info);
    }
    if (request.again) {
        if (m_answerTurn >= 0) {
            m_log->replaceTurn(m_session, m_answerTurn);
        }
    } else {
        m_log->addUserTurn(m_session, request.text.toStdString());
    }
    m_answerTurn = m_log->beginAnswer(m_session, request.params, prepared.droppedMessages);
    m_log->promptTokens(m_session, m_answerTurn, prepared.ids);
    Q_EMIT sessionsChanged();
    return {m_log.get(), m_session, m_answerTurn};
}

/// The answer that is made again no longer counts, but its prompt does: the new answer reuses those
/// positions from the cache and will not record them again.
void EngineWorker::takeBackCounts() {
    if (!m_countsBeforeAnswer) {
        return;
    }
    m_counter = m_countsBeforeAnswer;
    for (const RoutedToken& token : m_promptTokens) {
        m_counter->add(token, false);
    }
    for (const RoutedToken& token : m_promptMtpTokens) {
        m_counter->add(token, true);
    }
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
            for (const TokenId id : turn.promptIds) {
                opened->prompts[i].pieces.push_back({id, fmt::format("#{}", id), false});
            }
        }
    }
    countStored(*stored);
    opened->canContinue = sameModel;
    m_closed = !sameModel;
    if (sameModel) {
        continueStored(*stored);
    }
    Q_EMIT sessionOpened(opened);
    auto frame = std::make_shared<LiveFrame>();
    frame->load = m_counter->snapshot();
    for (const StoredTurn& turn : stored->turns) {
        if (!turn.replaced && !turn.steps.empty()) {
            frame->cache = turn.steps.back().cache;
        }
    }
    m_feed->publish(std::move(frame));
}

void EngineWorker::countStored(const StoredSession& stored) {
    m_counter.emplace(stored.info.shape);
    m_countsBeforeAnswer = m_counter;
    m_promptTokens.clear();
    m_promptMtpTokens.clear();
    for (const StoredTurn& turn : stored.turns) {
        if (turn.role != Role::Assistant) {
            continue;
        }
        if (!turn.replaced) {
            m_countsBeforeAnswer = m_counter;
            m_promptTokens.clear();
            m_promptMtpTokens.clear();
        }
        for (const StepTrace& step : turn.steps) {
            if (!turn.replaced) {
                m_counter->add(step);
            }
            for (const bool mtp : {false, true}) {
                for (const RoutedToken& token : mtp ? step.mtp : step.tokens) {
                    if (token.phase != Phase::Prefill) {
                        continue;
                    }
                    if (turn.replaced) {
                        m_counter->add(token, mtp);
                    } else {
                        (mtp ? m_promptMtpTokens : m_promptTokens).push_back(token);
                    }
                }
            }
        }
    }
}

void EngineWorker::continueStored(const StoredSession& stored) {
    std::vector<ChatMessage> history;
    for (const StoredTurn& turn : stored.turns) {
        if (turn.replaced) {
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
}

}  // namespace gatescope
