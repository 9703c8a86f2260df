// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QThread>
#include <memory>
#include <stop_token>

#include "app/engine_messages.h"
#include "app/live_feed.h"
#include "app/stored_counts.h"

namespace gatescope {

/// Counts the routing of a stored session in a thread of its own: nothing here waits for the
/// engine, nor the window for what is counted.
class SessionCounter final : public QObject {
    Q_OBJECT

  public:
    explicit SessionCounter(QObject* parent = nullptr);
    ~SessionCounter() override;

    /// Answers with frame() or failed(). What was counted before is forgotten, what is being
    /// counted given up.
    void count(std::shared_ptr<const StoredSession> stored, BiasByRow bias);
    /// What frames are to have from now on; one with it comes at once.
    void want(const FrameWants& wants);

  Q_SIGNALS:
    void frame(std::shared_ptr<const gatescope::LiveFrame> frame);
    void failed(const QString& error);

  private:
    class Worker;
    template <class Work>
    void post(Work work);

    QThread m_thread;
    Worker* m_worker;
    FrameWants m_wants;
    int m_asked = 0;  ///< counts count(): frames of what was asked for before are not shown
    std::stop_source m_stop;
};

}  // namespace gatescope
