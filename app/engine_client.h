// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QThread>
#include <QThreadPool>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>

#include "app/engine_messages.h"
#include "app/live_feed.h"

namespace gatescope {

class EngineWorker;
class LoadedModel;
class SessionLog;

/// The engine as the window's thread sees it: commands return at once, everything comes back as a
/// signal. Owns the worker's thread.
class EngineClient final : public QObject {
    Q_OBJECT

  public:
    explicit EngineClient(const std::filesystem::path& sessionFile, QObject* parent = nullptr);
    ~EngineClient() override;  ///< stops what runs, writes the log, waits for the thread

    void load(const std::filesystem::path& dir, const LoadOptions& options);
    void cancelLoad();
    void send(const QString& message, const GenerationParams& params);
    void regenerate(const GenerationParams& params);
    /// Answered by sessionOpened() and then as send(), or by promptRefused(). The request's stop
    /// token is filled in.
    void branch(BranchRequest request);
    void stop();  ///< acts within one layer, not queued
    /// Runs `task` on the engine's thread behind what was asked for before. The model is null while
    /// none is open. See runOnEngine().
    void post(std::function<void(LoadedModel*)> task);
    /// The same with the log (null: nothing is recorded), for work that makes sessions.
    void postLogged(std::function<void(LoadedModel*, SessionLog*)> task);
    /// Changes of stored sessions, one after the other on a thread of their own, also while an
    /// answer runs (null: nothing is recorded).
    void editLog(std::function<void(SessionLog*)> task);
    /// What of the frames somebody looks at. A new frame comes at once when it became more.
    void want(const FrameWants& wants);
    void restartShadow(std::shared_ptr<const ShadowRequest> request);
    void newSession() { Q_EMIT newSessionWanted(); }
    void openSession(std::shared_ptr<const StoredSession> stored) { Q_EMIT openWanted(stored); }

  Q_SIGNALS:
    // From the engine, all in the window's thread.
    void loadProgress(const QString& what, quint64 done, quint64 total);
    void loaded(std::shared_ptr<const gatescope::ModelFacts> card);
    void modelReleased();
    void loadFailed(const QString& error);
    void answerStarted(std::shared_ptr<const gatescope::AnswerStart> start);
    void promptRefused(const QString& message, const QString& error);
    void answerEnded(std::shared_ptr<const gatescope::AnswerEnd> end);
    void sessionReady();
    void sessionOpened(std::shared_ptr<const gatescope::OpenedSession> opened);
    void sessionsChanged();
    void notice(const QString& text);
    /// All that arrived since the last call, in order, and always before answerEnded().
    void batch(const gatescope::FeedBatch& batch);
    /// The newest frame.
    void frame(std::shared_ptr<const gatescope::LiveFrame> frame);

    // To the engine; use the functions above.
    void loadWanted(const gatescope::LoadRequest& request);
    void answerWanted(const gatescope::PromptRequest& request);
    void branchWanted(const gatescope::BranchRequest& request);
    void newSessionWanted();
    void openWanted(std::shared_ptr<const gatescope::StoredSession> stored);

  private:
    void wire(EngineWorker* worker);
    void drain();

    std::shared_ptr<LiveFeed> m_feed;
    EngineWorker* m_worker;  ///< lives in m_thread and goes with it
    QThread m_thread;
    QThreadPool m_editing;  ///< one thread
    std::stop_source m_loadStop;
    std::stop_source m_answerStop;
};

}  // namespace gatescope
