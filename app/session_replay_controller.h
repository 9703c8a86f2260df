// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QElapsedTimer>
#include <QObject>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>

class QLabel;
class QProgressBar;
class QPushButton;

namespace gatescope {

class ChatController;
class EngineClient;
class ReplayView;
struct ReplayValue;

/// Shows how a replay goes and what came out. Closing it stops the replay.
class ReplayDialog final : public QDialog {
    Q_OBJECT

  public:
    ReplayDialog(const QString& title, QWidget* parent);

    void setProgress(qint64 done, qint64 total);
    void showOutcome(std::shared_ptr<const ReplayValue> value);
    /// Instead of an outcome: one sentence.
    void showMessage(const QString& message);
    bool isRunning() const { return m_running; }
    ReplayView* view() const { return m_view; }
    QString message() const;

  private:
    void ended();

    QLabel* m_message;
    QProgressBar* m_progress;
    ReplayView* m_view;
    QPushButton* m_close;
    QElapsedTimer m_since;
    bool m_running = true;
};

/// Runs stored sessions again with the open model and shows what differs.
class SessionReplayController final : public QObject {
    Q_OBJECT

  public:
    SessionReplayController(EngineClient* engine, ChatController* chat,
                            std::filesystem::path sessionFile, QWidget* window);

    void replay(std::int64_t session);
    /// The one that was opened last; null before.
    ReplayDialog* dialog() const { return m_dialog; }
    /// Nothing may arrive any more.
    void cancel();

  private:
    EngineClient* m_engine;
    ChatController* m_chat;
    std::filesystem::path m_file;
    QWidget* m_window;
    ReplayDialog* m_dialog = nullptr;
    std::stop_source m_stop;
};

}  // namespace gatescope
