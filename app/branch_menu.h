// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <cstdint>

class QMenu;

namespace gatescope {

class ChatController;
class Selection;
class TraceStore;
class TranscriptView;
class WindowActions;

/// Branches the session at a token, from the window's menu or the transcript's: with what the model
/// chooses there, with one of the other likely tokens, or with the message in other words.
class BranchMenu final : public QObject {
    Q_OBJECT

  public:
    BranchMenu(ChatController* chat, TranscriptView* transcript, Selection* selection,
               const TraceStore* store, WindowActions* actions, QObject* parent);

    /// What can be done at the selected token.
    void refresh();

  private:
    /// Adds to the transcript's menu what can be done at this token.
    void fill(QMenu* menu, std::int32_t number);
    void fillAlternatives(QMenu* menu, std::int32_t number);
    void branchWith(std::int32_t number, std::int32_t id);
    void editMessage(std::int32_t number);
    std::int32_t selected() const;  ///< -1: no token
    bool isAnswer(std::int32_t number) const;
    bool isMessage(std::int32_t number) const;

    ChatController* m_chat;
    TranscriptView* m_transcript;
    Selection* m_selection;
    const TraceStore* m_store;
    WindowActions* m_actions;
};

}  // namespace gatescope
