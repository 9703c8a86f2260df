// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "app/notice_bar.h"
#include "app/transcript_pane.h"

class QStackedLayout;

namespace gatescope {

class ChangedRoutingBar;
class ChatInput;
class EmptyChat;
class LoadingBar;
class Selection;

/// The middle of the window: the conversation, or what to do while there is none, and below it the
/// input.
class ChatPane final : public QWidget {
    Q_OBJECT

  public:
    explicit ChatPane(Selection* selection, QWidget* parent = nullptr);

    TranscriptPane* conversation() const { return m_conversation; }
    TranscriptView* transcript() const { return m_conversation->transcript(); }
    TranscriptLegend* legend() const { return m_conversation->legend(); }
    ChatInput* input() const { return m_input; }
    EmptyChat* empty() const { return m_empty; }
    LoadingBar* loading() const { return m_loading; }
    NoticeBar* notices() const { return m_notices; }
    ChangedRoutingBar* changedRouting() const { return m_changedRouting; }
    FindBar* findBar() const { return m_conversation->findBar(); }
    PartBar* part() const { return m_conversation->part(); }

    void showTranscript(bool shown);
    void openFind();

  private:
    TranscriptPane* m_conversation;
    ChatInput* m_input;
    EmptyChat* m_empty;
    LoadingBar* m_loading;
    NoticeBar* m_notices;
    ChangedRoutingBar* m_changedRouting;
    QStackedLayout* m_stack;
};

}  // namespace gatescope
