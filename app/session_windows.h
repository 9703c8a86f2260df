// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QPointer>
#include <cstdint>
#include <filesystem>
#include <map>

namespace gatescope {

class AppSettings;
class ChatController;
class SessionWindow;

/// The windows of sessions that are read beside the chat; one for each session, closed with the
/// main window.
class SessionWindows final : public QObject {
    Q_OBJECT

  public:
    SessionWindows(std::filesystem::path file, const ChatController* chat,
                   const AppSettings* settings, QObject* parent);
    ~SessionWindows() override;

    /// Opens the session in a window of its own, or raises the one it has.
    void open(std::int64_t session);
    /// The same, and selects a token of an answer in it.
    void openAt(std::int64_t session, int turn, std::int64_t seq);
    /// Null: it has none.
    SessionWindow* window(std::int64_t session) const;
    void closeAll();

  private:
    SessionWindow* make(std::int64_t session) const;

    std::filesystem::path m_file;
    const ChatController* m_chat;
    const AppSettings* m_settings;
    std::map<std::int64_t, QPointer<SessionWindow>> m_windows;
};

}  // namespace gatescope
