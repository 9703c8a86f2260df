// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "app/notice_bar.h"

class QStackedLayout;

namespace gatescope {

class ChangedRoutingBar;
class ChatInput;
class EmptyChat;
class FindBar;
class LoadingBar;
class PartBar;
class Selection;
class TranscriptLegend;
class TranscriptView;

/// The middle of the window: the conversation, or what to do while there is none, and below it the
/// input.
class ChatPane final : public QWidget {
    Q_OBJECT

  public:
    explicit ChatPane(Selection* selection, QWidget* parent = nullptr);

    TranscriptView* transcript() const { return m_transcript; }
    TranscriptLegend* legend() const { return m_legend; }
    ChatInput* input() const { return m_input; }
    EmptyChat* empty() const { return m_empty; }
    LoadingBar* loading() const { return m_loading; }
    NoticeBar* notices() const { return m_notices; }
    ChangedRoutingBar* changedRouting() const { return m_changedRouting; }
    FindBar* findBar() const { return m_find; }
    PartBar* part() const { return m_part; }

    void showTranscript(bool shown);
    void openFind();
    /// What the marks stand for; empty: nothing is marked.
    void setMarkText(const QString& text);

  private:
    void refreshLegend();

    TranscriptView* m_transcript;
    TranscriptLegend* m_legend;
    ChatInput* m_input;
    EmptyChat* m_empty;
    LoadingBar* m_loading;
    NoticeBar* m_notices;
    ChangedRoutingBar* m_changedRouting;
    FindBar* m_find;
    PartBar* m_part;
    QWidget* m_conversation;
    QStackedLayout* m_stack;
    QString m_markText;
};

}  // namespace gatescope
