// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>

#include "app/answer_sink.h"
#include "app/engine_messages.h"
#include "app/live_feed.h"
#include "engine/decode/conversation.h"
#include "engine/session/session_log.h"

namespace gatescope {

/// Where an answer is logged; `log` is null for one that is not.
struct LogPlace {
    SessionLog* log = nullptr;
    std::int64_t session = -1;
    int turn = -1;
};

/// Owns the model, the conversation and the log, and works in its own thread. Talked to by queued
/// calls only; what must act at once (stop, cancel) comes as a stop token within the request.
class EngineWorker final : public QObject {
    Q_OBJECT

  public:
    EngineWorker(std::shared_ptr<LiveFeed> feed, std::filesystem::path sessionFile);
    ~EngineWorker() override;

    LoadedModel* model() { return m_model.get(); }
    /// Null: nothing is recorded (yet). Any thread, as long as this lives.
    SessionLog* log() { return m_openLog; }

  public Q_SLOTS:
    /// Opens the session file. Without it the program works, unrecorded, and says so.
    void openLog();
    void load(const gatescope::LoadRequest& request);
    void answer(const gatescope::PromptRequest& request);
    /// Opens a new session as sessionOpened() tells, then answers in it.
    void branch(const gatescope::BranchRequest& request);
    void newSession();
    /// Prepares a stored session for showing, and for continuing if it is this model's.
    void openSession(std::shared_ptr<const gatescope::StoredSession> stored);
    void restartShadow(const gatescope::ShadowRequest& request);
    /// A frame of what is counted now, for docks that were hidden before.
    void publishFrame();

  Q_SIGNALS:
    void loadProgress(const QString& what, quint64 done, quint64 total);
    void loaded(std::shared_ptr<const gatescope::ModelFacts> card);
    /// `error` is empty when loading was cancelled.
    /// The model in use was given up to make room for the one that is loading.
    void modelReleased();
    void loadFailed(const QString& error);
    void answerStarted(std::shared_ptr<const gatescope::AnswerStart> start);
    /// Nothing was started: the message is the person's again.
    void promptRefused(const QString& message, const QString& error);
    void answerEnded(std::shared_ptr<const gatescope::AnswerEnd> end);
    void sessionReady();  ///< a new, empty one
    void sessionOpened(std::shared_ptr<const gatescope::OpenedSession> opened);
    void sessionsChanged();
    void notice(const QString& text);

  private:
    void beginFresh();
    void beginAnalysis(std::shared_ptr<const Interventions> interventions);
    std::shared_ptr<AnswerStart> prepare(const PromptRequest& request,
                                         Conversation::Prepared& prepared);
    LogPlace logTurn(const PromptRequest& request, const Conversation::Prepared& prepared);
    LogPlace writeTurn(const PromptRequest& request, const Conversation::Prepared& prepared);
    std::shared_ptr<const AnswerEnd> run(const PromptRequest& request,
                                         const Conversation::Prepared& prepared,
                                         const LogPlace& place);
    void takeBackCounts();
    std::vector<TokenEvent> givenTo(const BranchRequest& request) const;
    std::vector<TokenId> contextOf(const Conversation::Prepared& prepared) const;
    void dropUncounted(const Conversation::Prepared& prepared);
    PromptValue promptValue(const std::vector<TokenId>& ids, const std::string& message) const;
    void countStored(const StoredSession& stored);
    void continueStored(const StoredSession& stored);
    std::vector<ChatMessage> historyOf(const SessionExtent& extent);

    std::shared_ptr<LiveFeed> m_feed;
    std::filesystem::path m_sessionFile;
    std::unique_ptr<SessionLog> m_log;
    std::atomic<SessionLog*> m_openLog = nullptr;  ///< m_log once it is open
    std::unique_ptr<LoadedModel> m_model;
    std::unique_ptr<Conversation> m_conversation;  ///< refers to the model: declared after it
    std::optional<TrafficAnalysis> m_analysis;
    std::optional<TrafficAnalysis> m_analysisBeforeAnswer;
    std::vector<TokenId> m_counted;  ///< the context whose routing m_analysis has counted
    std::shared_ptr<const Interventions> m_countedInterventions;  ///< under which it was routed
    ShadowParams m_shadow;
    std::optional<CacheUse> m_cache;
    PromptRouting m_promptRouting;    ///< of the last answer
    std::int64_t m_session = -1;      ///< in the log; -1 before the first message
    int m_answerTurn = -1;            ///< the last answer's turn in the log
    std::vector<TokenEvent> m_given;  ///< what the last answer began with
    bool m_closed = false;            ///< a session of another model is on screen
};

}  // namespace gatescope
