// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/chat_pane.h"

#include <QStackedLayout>
#include <QVBoxLayout>

#include "app/changed_routing_bar.h"
#include "app/loading_bar.h"
#include "views/chat_input.h"
#include "views/empty_chat.h"
#include "views/find_bar.h"

namespace gatescope {

ChatPane::ChatPane(Selection* selection, QWidget* parent)
    : QWidget(parent),
      m_conversation(new TranscriptPane(selection)),
      m_input(new ChatInput),
      m_empty(new EmptyChat),
      m_loading(new LoadingBar),
      m_notices(new NoticeBar),
      m_changedRouting(new ChangedRoutingBar) {
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
}

void ChatPane::showTranscript(bool shown) {
    m_stack->setCurrentWidget(shown ? static_cast<QWidget*>(m_conversation) : m_empty);
}

void ChatPane::openFind() {
    showTranscript(true);
    findBar()->open();
}

}  // namespace gatescope
