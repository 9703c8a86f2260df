// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/engine_client.h"

#include "app/engine_worker.h"

namespace gatescope {

EngineClient::EngineClient(const std::filesystem::path& sessionFile, QObject* parent)
    : QObject(parent), m_feed(std::make_shared<LiveFeed>([this] {
          QMetaObject::invokeMethod(this, &EngineClient::drain, Qt::QueuedConnection);
      })) {
    m_worker = new EngineWorker(m_feed, sessionFile);
    m_worker->moveToThread(&m_thread);
    wire(m_worker);
    m_editing.setMaxThreadCount(1);
    m_thread.setObjectName(QStringLiteral("engine"));
    m_thread.start();
    QMetaObject::invokeMethod(m_worker, &EngineWorker::openLog, Qt::QueuedConnection);
}

EngineClient::~EngineClient() {
    m_loadStop.request_stop();
    m_answerStop.request_stop();
    m_editing.waitForDone();
    m_thread.quit();
    m_thread.wait();
}

/// The one place where the two threads meet.
void EngineClient::wire(EngineWorker* worker) {
    constexpr auto kQueued = Qt::QueuedConnection;
    connect(&m_thread, &QThread::finished, worker, &QObject::deleteLater);

    connect(this, &EngineClient::loadWanted, worker, &EngineWorker::load, kQueued);
    connect(this, &EngineClient::answerWanted, worker, &EngineWorker::answer, kQueued);
    connect(this, &EngineClient::branchWanted, worker, &EngineWorker::branch, kQueued);
    connect(this, &EngineClient::newSessionWanted, worker, &EngineWorker::newSession, kQueued);
    connect(this, &EngineClient::openWanted, worker, &EngineWorker::openSession, kQueued);

    connect(worker, &EngineWorker::loadProgress, this, &EngineClient::loadProgress, kQueued);
    connect(worker, &EngineWorker::loaded, this, &EngineClient::loaded, kQueued);
    connect(worker, &EngineWorker::modelReleased, this, &EngineClient::modelReleased, kQueued);
    connect(worker, &EngineWorker::loadFailed, this, &EngineClient::loadFailed, kQueued);
    connect(
        worker, &EngineWorker::answerStarted, this,
        [this](const std::shared_ptr<const AnswerStart>& start) {
            Q_EMIT answerStarted(start);
            m_feed->release();
            drain();
        },
        kQueued);
    connect(worker, &EngineWorker::promptRefused, this, &EngineClient::promptRefused, kQueued);
    connect(
        worker, &EngineWorker::answerEnded, this,
        [this](const std::shared_ptr<const AnswerEnd>& end) {
            drain();  // the last tokens come before the end
            Q_EMIT answerEnded(end);
        },
        kQueued);
    connect(worker, &EngineWorker::sessionReady, this, &EngineClient::sessionReady, kQueued);
    connect(worker, &EngineWorker::sessionOpened, this, &EngineClient::sessionOpened, kQueued);
    connect(worker, &EngineWorker::sessionsChanged, this, &EngineClient::sessionsChanged, kQueued);
    connect(worker, &EngineWorker::notice, this, &EngineClient::notice, kQueued);
}

void EngineClient::drain() {
    const FeedBatch arrived = m_feed->takeBatch();
    if (!arrived.tokens.empty() || !arrived.steps.empty()) {
        Q_EMIT batch(arrived);
    }
    if (const auto newest = m_feed->takeFrame()) {
        Q_EMIT frame(newest);
    }
}

void EngineClient::post(std::function<void(LoadedModel*)> task) {
    QMetaObject::invokeMethod(
        m_worker, [worker = m_worker, task = std::move(task)] { task(worker->model()); },
        Qt::QueuedConnection);
}

void EngineClient::postLogged(std::function<void(LoadedModel*, SessionLog*)> task) {
    QMetaObject::invokeMethod(
        m_worker,
        [worker = m_worker, task = std::move(task)] {
            task(worker->model(), worker->log());
            Q_EMIT worker->sessionsChanged();
        },
        Qt::QueuedConnection);
}

void EngineClient::editLog(std::function<void(SessionLog*)> task) {
    m_editing.start([this, task = std::move(task)] {
        try {
            task(m_worker->log());
        } catch (const std::exception& error) {
            Q_EMIT m_worker->notice(QString::fromUtf8(error.what()));
        }
        Q_EMIT m_worker->sessionsChanged();
    });
}

void EngineClient::want(const FrameWants& wants) {
    if (m_feed->wants() == wants) {
        return;
    }
    m_feed->setWants(wants);
    QMetaObject::invokeMethod(m_worker, &EngineWorker::publishFrame, Qt::QueuedConnection);
}

void EngineClient::restartShadow(std::shared_ptr<const ShadowRequest> request) {
    QMetaObject::invokeMethod(
        m_worker, [worker = m_worker, request] { worker->restartShadow(*request); },
        Qt::QueuedConnection);
}

void EngineClient::load(const std::filesystem::path& dir, const LoadOptions& options) {
    m_loadStop = std::stop_source();
    Q_EMIT loadWanted({dir, options, m_loadStop.get_token()});
}

void EngineClient::cancelLoad() {
    m_loadStop.request_stop();
}

void EngineClient::send(const QString& message, const GenerationParams& params) {
    m_answerStop = std::stop_source();
    Q_EMIT answerWanted({message, false, params, m_answerStop.get_token(), {}});
}

void EngineClient::regenerate(const GenerationParams& params) {
    m_answerStop = std::stop_source();
    Q_EMIT answerWanted({{}, true, params, m_answerStop.get_token(), {}});
}

void EngineClient::branch(BranchRequest request) {
    m_answerStop = std::stop_source();
    request.stop = m_answerStop.get_token();
    Q_EMIT branchWanted(request);
}

void EngineClient::stop() {
    m_answerStop.request_stop();
}

}  // namespace gatescope
