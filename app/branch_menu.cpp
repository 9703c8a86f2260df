// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/branch_menu.h"

#include <QAction>
#include <QInputDialog>
#include <QMenu>
#include <algorithm>

#include "app/chat_controller.h"
#include "app/window_actions.h"
#include "views/formats.h"
#include "views/selection.h"
#include "views/transcript_view.h"

namespace gatescope {
namespace {

constexpr int kTokenChars = 24;

}  // namespace

BranchMenu::BranchMenu(ChatController* chat, TranscriptView* transcript, Selection* selection,
                       const TraceStore* store, WindowActions* actions, QObject* parent)
    : QObject(parent),
      m_chat(chat),
      m_transcript(transcript),
      m_selection(selection),
      m_store(store),
      m_actions(actions) {
    connect(transcript, &TranscriptView::menuWanted, this, &BranchMenu::fill);
    connect(actions->branch, &QAction::triggered, this, [this] { m_chat->branchAt(selected()); });
    connect(actions->editMessage, &QAction::triggered, this, [this] { editMessage(selected()); });
    connect(actions->branchWith, &QMenu::aboutToShow, this, [this] {
        m_actions->branchWith->clear();
        fillAlternatives(m_actions->branchWith, selected());
    });
    connect(selection, &Selection::changed, this, &BranchMenu::refresh);
    connect(chat, &ChatController::stateChanged, this, &BranchMenu::refresh);
    refresh();
}

std::int32_t BranchMenu::selected() const {
    return m_selection->position().value_or(-1);
}

bool BranchMenu::isAnswer(std::int32_t number) const {
    const auto place = m_chat->placeOf(number);
    return place && place->question.isEmpty() && place->turn >= 0;
}

bool BranchMenu::isMessage(std::int32_t number) const {
    const auto place = m_chat->placeOf(number);
    return place && !place->question.isEmpty() && place->turn >= 0;
}

void BranchMenu::refresh() {
    const bool can = m_chat->canBranch();
    const std::int32_t number = selected();
    m_actions->branch->setEnabled(can && isAnswer(number));
    m_actions->branchWith->setEnabled(can && isAnswer(number));
    m_actions->editMessage->setEnabled(can && isMessage(number));
}

void BranchMenu::fill(QMenu* menu, std::int32_t number) {
    const bool can = m_chat->canBranch();
    if (isAnswer(number)) {
        menu->addSeparator();
        menu->addAction(tr("Branch here"), this, [this, number] { m_chat->branchAt(number); })
            ->setEnabled(can);
        QMenu* with = menu->addMenu(tr("Branch with"));
        fillAlternatives(with, number);
        with->setEnabled(can && !with->isEmpty());
    } else if (isMessage(number)) {
        menu->addSeparator();
        menu->addAction(tr("Edit and ask again…"), this, [this, number] { editMessage(number); })
            ->setEnabled(can);
    }
}

void BranchMenu::fillAlternatives(QMenu* menu, std::int32_t number) {
    const TraceStore::Entry* entry = m_store->entry(number);
    if (entry == nullptr) {
        return;
    }
    for (const TokenEvent::Alternative& other : entry->alternatives) {
        if (other.id == entry->tokenId) {
            continue;
        }
        const std::string_view bytes = m_store->bytesOf(other.id);
        QString text =
            tokenText(QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size())), kTokenChars);
        text.replace(u'&', QStringLiteral("&&"));
        menu->addAction(tr("%1    %2").arg(text, percentText(other.rawProbability)), this,
                        [this, number, id = other.id] { branchWith(number, id); });
    }
    if (menu->isEmpty()) {
        menu->addAction(tr("No other tokens were recorded here"))->setEnabled(false);
    }
}

void BranchMenu::branchWith(std::int32_t number, std::int32_t id) {
    const TraceStore::Entry* entry = m_store->entry(number);
    if (entry == nullptr) {
        return;
    }
    const auto found = std::find_if(entry->alternatives.begin(), entry->alternatives.end(),
                                    [id](const auto& other) { return other.id == id; });
    if (found != entry->alternatives.end()) {
        const TokenEvent::Alternative chosen = *found;  // the store is emptied by branching
        m_chat->branchAt(number, &chosen);
    }
}

void BranchMenu::editMessage(std::int32_t number) {
    const auto place = m_chat->placeOf(number);
    if (!place || place->question.isEmpty()) {
        return;
    }
    bool sent = false;
    const QString text = QInputDialog::getMultiLineText(
        m_transcript->window(), tr("Edit and ask again"),
        tr("The answer goes to a new session, which begins as this one up to the message."),
        place->question, &sent);
    if (sent) {
        m_chat->askInstead(number, text);
    }
}

}  // namespace gatescope
