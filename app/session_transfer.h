// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "engine/progress.h"
#include "engine/session/session_export.h"

class QProgressDialog;
class QThread;
class QWidget;

namespace gatescope {

/// Writes sessions to files and adds them from files, one piece of work at a time, in a thread of
/// its own with progress and a way to cancel.
class SessionTransfer final : public QObject {
    Q_OBJECT

  public:
    SessionTransfer(std::filesystem::path sessionFile, QWidget* window);
    ~SessionTransfer() override;

    void exportTo(const std::vector<std::int64_t>& sessions, SessionFormat format,
                  const QString& target);
    void importFrom(const QString& file);
    bool isRunning() const { return m_thread != nullptr; }
    void cancel() { m_stop.request_stop(); }

  public Q_SLOTS:
    /// Asks where to and as what.
    void exportSessions(const std::vector<std::int64_t>& sessions);
    /// Asks which file.
    void importSessions();

  Q_SIGNALS:
    void exported(const QString& target);
    void imported(const std::vector<std::int64_t>& sessions);
    void failed(const QString& error);

  private:
    using Work = std::function<std::function<void()>(const Progress&)>;

    /// `work` runs in the thread; what it returns, in this one afterwards.
    void start(const QString& title, Work work);
    void end(const std::function<void()>& then);

    std::filesystem::path m_file;
    QWidget* m_window;
    QThread* m_thread = nullptr;
    QProgressDialog* m_dialog = nullptr;
    std::stop_source m_stop;
};

}  // namespace gatescope
