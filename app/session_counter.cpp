// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_counter.h"

#include <exception>
#include <utility>

#include "engine/error.h"

namespace gatescope {

/// Lives in the counter's thread and keeps what was counted there.
class SessionCounter::Worker final : public QObject {
  public:
    void count(const StoredSession& stored, const BiasByRow& bias, const std::stop_token& stop) {
        m_counts = {};
        m_counts = countSession(stored, bias, {}, stop);
        m_counts.beforeAnswer.reset();  // nothing is taken back here
        m_counts.promptRouting.clear();
    }

    std::shared_ptr<const LiveFrame> frame(const FrameWants& wants) const {
        if (!m_counts.analysis) {
            return nullptr;
        }
        auto frame = std::make_shared<LiveFrame>();
        fillFrame(*frame, *m_counts.analysis, wants);
        frame->cache = m_counts.cache;
        return frame;
    }

  private:
    StoredCounts m_counts;
};

SessionCounter::SessionCounter(QObject* parent) : QObject(parent), m_worker(new Worker) {
    m_worker->moveToThread(&m_thread);
    connect(&m_thread, &QThread::finished, m_worker, &QObject::deleteLater);
    m_thread.setObjectName(QStringLiteral("counting"));
    m_thread.start();
}

SessionCounter::~SessionCounter() {
    m_stop.request_stop();
    m_thread.quit();
    m_thread.wait();
}

/// Does the work in the thread and shows a frame of what there is then.
template <class Work>
void SessionCounter::post(Work work) {
    QMetaObject::invokeMethod(
        m_worker,
        [this, worker = m_worker, work = std::move(work), wants = m_wants, asked = m_asked] {
            std::shared_ptr<const LiveFrame> made;
            QString error;
            try {
                work(*worker);
                made = worker->frame(wants);
            } catch (const Cancelled&) {
                return;
            } catch (const std::exception& failure) {
                error = QString::fromUtf8(failure.what());
            }
            const auto tell = [this, made, error, asked] {
                if (asked != m_asked) {
                    return;
                }
                if (made != nullptr) {
                    Q_EMIT frame(made);
                } else if (!error.isEmpty()) {
                    Q_EMIT failed(error);
                }
            };
            QMetaObject::invokeMethod(this, tell, Qt::QueuedConnection);
        },
        Qt::QueuedConnection);
}

void SessionCounter::count(std::shared_ptr<const StoredSession> stored, BiasByRow bias) {
    m_stop.request_stop();
    m_stop = std::stop_source();
    ++m_asked;
    post([stored = std::move(stored), bias = std::move(bias),
          stop = m_stop.get_token()](Worker& worker) { worker.count(*stored, bias, stop); });
}

void SessionCounter::want(const FrameWants& wants) {
    if (m_wants == wants) {
        return;
    }
    m_wants = wants;
    post([](Worker&) {});
}

}  // namespace gatescope
