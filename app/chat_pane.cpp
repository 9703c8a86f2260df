// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/chat_pane.h"

#include <QStackedLayout>
#include <QVBoxLayout>

#include "app/changed_routing_bar.h"
#include "app/loading_bar.h"
#include "app/part_bar.h"
#include "views/chat_input.h"
#include "views/empty_chat.h"
#include "views/find_bar.h"
#include "views/transcript_legend.h"
#include "views/transcript_view.h"

namespace gatescope {

ChatPane::ChatPane(Selection* selection, QWidget* parent)
    : QWidget(parent),
      m_transcript(new TranscriptView(selection)),
      m_legend(new TranscriptLegend),
      m_input(new ChatInput),
      m_empty(new EmptyChat),
      m_loading(new LoadingBar),
      m_notices(new NoticeBar),
      m_changedRouting(new ChangedRoutingBar),
      m_find(new FindBar(m_transcript)),
      m_part(new PartBar),
      m_conversation(new QWidget) {
    auto* conversation = new QVBoxLayout(m_conversation);
    conversation->setContentsMargins(0, 0, 0, 0);
    conversation->setSpacing(0);
    conversation->addWidget(m_find);
    conversation->addWidget(m_part);
    conversation->addWidget(m_transcript, 1);
    conversation->addWidget(m_legend);

    auto* upper = new QWidget;
    m_stack = new QStackedLayout(upper);
    m_stack->addWidget(m_empty);
    m_stack->addWidget(m_conversation);

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_changedRouting);
    column->addWidget(m_notices);
    column->addWidget(m_loading);
    column->addWidget(upper, 1);
    column->addWidget(m_input);
    setMinimumWidth(320);
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);

    connect(m_transcript, &TranscriptView::contentsShown, this, &ChatPane::refreshLegend);
    connect(m_transcript, &TranscriptView::contentsShown, m_find, &FindBar::refresh);
}

void ChatPane::showTranscript(bool shown) {
    m_stack->setCurrentWidget(shown ? m_conversation : static_cast<QWidget*>(m_empty));
}

void ChatPane::openFind() {
    showTranscript(true);
    m_find->open();
}

void ChatPane::setMarkText(const QString& text) {
    m_markText = text;
    refreshLegend();
}

void ChatPane::refreshLegend() {
    m_legend->setDrafts(
        m_transcript->hasDrafts() && m_transcript->colour() == TranscriptView::Colour::Acceptance,
        m_transcript->hasBonus());
    const int marked = m_markText.isEmpty() ? 0 : m_transcript->markedShown();
    m_legend->setMarked(m_markText.isEmpty() ? QString()
                                             : m_markText + tr(" · %1 tokens").arg(marked));
}

}  // namespace gatescope
