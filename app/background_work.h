// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <QThread>
#include <functional>
#include <stop_token>

#include "engine/progress.h"

namespace gatescope {

/// Work in a thread of its own, one piece after the other. What is started next ends what runs;
/// only the newest answers.
class BackgroundWork final : public QObject {
    Q_OBJECT

  public:
    /// Runs in the thread; what it returns, in this object's thread afterwards.
    using Work = std::function<std::function<void()>(const Progress&, std::stop_token)>;

    BackgroundWork(const QString& name, QObject* parent);
    ~BackgroundWork() override;

    /// Ends what runs.
    void start(Work work);
    /// Behind what runs. Not undone by what is started later.
    void post(Work work) { post(std::move(work), {}); }
    /// Behind what runs, and ended with it by what is started next.
    void follow(Work work) { post(std::move(work), m_stop.get_token()); }
    void cancel() { m_stop.request_stop(); }

  Q_SIGNALS:
    /// Work threw an error: one sentence.
    void failed(const QString& error);
    void progressed(const QString& text);

  private:
    void post(Work work, std::stop_token stop);
    Progress reporting(const std::stop_token& stop);

    QThread m_thread;
    QObject* m_worker;  ///< lives in the thread
    std::stop_source m_stop;
};

}  // namespace gatescope
