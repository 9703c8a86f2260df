// SPDX-License-Identifier: GPL-3.0-or-later
// The part of ChatController that pages through a session too long to be shown at once.
#include <algorithm>

#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "app/part_bar.h"
#include "views/chat_input.h"
#include "views/find_bar.h"
#include "views/selection.h"
#include "views/transcript_view.h"

namespace gatescope {
namespace {

/// So much of what was shown stays on screen, so that the person finds the place again.
constexpr std::int64_t kOverlap = 200;
/// Tokens that may come to the transcript before its far end is dropped.
constexpr int kMostAdded = 16'000;

}  // namespace

void ChatController::connectParts() {
    PartBar* bar = m_pane->part();
    connect(bar, &PartBar::firstWanted, this, [this] { goToPart(Part::First); });
    connect(bar, &PartBar::earlierWanted, this, [this] { goToPart(Part::Earlier); });
    connect(bar, &PartBar::laterWanted, this, [this] { goToPart(Part::Later); });
    connect(bar, &PartBar::newestWanted, this, [this] { goToPart(Part::Newest); });
    TranscriptView* transcript = m_pane->transcript();
    connect(transcript, &TranscriptView::beginningReached, this,
            [this] { goToPart(Part::Earlier); });
    connect(transcript, &TranscriptView::endReached, this, [this] { goToPart(Part::Later); });
    connect(this, &ChatController::stateChanged, this,
            [this, bar] { bar->setUsable(m_state != ChatState::Answering); });
    // The answer is in the file by then.
    connect(m_engine, &EngineClient::sessionsChanged, this, &ChatController::dropFarEnd);
}

bool ChatController::hasPart(Part which) const {
    if (!m_part || (m_state != ChatState::Ready && m_state != ChatState::Closed)) {
        return false;
    }
    return which == Part::First || which == Part::Earlier ? !m_part->begin : !m_part->end;
}

void ChatController::goToPart(Part which) {
    if (m_partWanted || !m_session || !hasPart(which)) {
        return;
    }
    const std::int64_t first = m_part->firstToken;
    const std::int64_t end = first + m_part->tokens;
    const std::int64_t kept = std::min(kOverlap, m_part->tokens / 8);
    using At = PartRequest::At;
    switch (which) {
        case Part::First:
            wantPart({At::Oldest}, PartAnchor{0, Qt::TopEdge});
            break;
        case Part::Earlier:
            wantPart({At::EndsAt, first + kept}, PartAnchor{first, Qt::TopEdge});
            break;
        case Part::Later:
            wantPart({At::BeginsAt, end - kept}, PartAnchor{end - 1, Qt::BottomEdge});
            break;
        case Part::Newest:
            wantPart({At::Newest}, std::nullopt);
            break;
    }
}

void ChatController::wantPart(const PartRequest& request, std::optional<PartAnchor> anchor) {
    m_partWanted = true;
    m_partAnchor = anchor;
    Q_EMIT partWanted(*m_session, request);
}

void ChatController::partFailed(const QString& error) {
    m_partWanted = false;
    if (const QString message = std::exchange(m_promptForNewest, {}); !message.isEmpty()) {
        m_pane->input()->setText(message);
    }
    showError(error);
}

/// An answer goes on from the end of the session: what is shown must be its end, too.
bool ChatController::sendFromNewest(const QString& message) {
    if (!hasPart(Part::Newest)) {
        return false;
    }
    if (!m_promptForNewest.isEmpty()) {
        m_pane->input()->setText(message);
        return true;
    }
    m_promptForNewest = message;
    goToPart(Part::Newest);
    return true;
}

void ChatController::clearPart() {
    m_part.reset();
    m_shown.clear();
    m_heldAtOpening = 0;
    showPartBar();
}

/// What stays valid when another part of the same session comes: the token that is selected.
std::optional<std::int64_t> ChatController::selectedToken() const {
    const auto position = m_selection->position();
    for (const ShownTokens& shown : m_shown) {
        if (position && *position >= shown.number && *position < shown.number + shown.count) {
            return shown.token + (*position - shown.number);
        }
    }
    return std::nullopt;
}

std::int32_t ChatController::numberOfToken(std::int64_t token) const {
    for (const ShownTokens& shown : m_shown) {
        if (token >= shown.token && token < shown.token + shown.count) {
            return shown.number + static_cast<std::int32_t>(token - shown.token);
        }
    }
    return -1;
}

void ChatController::beginPart(const StoredSession& stored) {
    m_partWanted = false;
    m_shown.clear();
    m_part.reset();
    if (!stored.extent.whole()) {
        m_part = stored.extent;
        m_part->messages = {};
        m_part->lastAnswerIds = {};
    }
}

void ChatController::endPart(std::optional<std::int64_t> selected, const SelectionPoint& before) {
    m_heldAtOpening = m_pane->transcript()->tokenCount();
    const auto anchor = std::exchange(m_partAnchor, std::nullopt);
    showPartBar();
    if (m_part && !m_part->end) {
        m_answerFirst = -1;  // not the newest answer: not to be made again
    }
    if (selected) {
        SelectionPoint point = before;
        const std::int32_t number = numberOfToken(*selected);
        point.position = number >= 0 ? std::optional(number) : std::nullopt;
        m_selection->replace(point);
    }
    if (anchor) {
        m_pane->transcript()->scrollTo(numberOfToken(anchor->token), anchor->edge);
    }
}

void ChatController::showPartBar() {
    m_pane->part()->setPart(m_part ? &*m_part : nullptr);
    m_pane->findBar()->setScope(m_part ? partText(*m_part) : QString());
    Q_EMIT partChanged();
}

/// Of an answer that is being written in a session of which a part is shown.
void ChatController::countInPart(std::int64_t tokens) {
    if (m_part && tokens != 0) {
        m_part->tokens += tokens;
        m_part->sessionTokens += tokens;
        showPartBar();
    }
}

void ChatController::dropFarEnd() {
    const int added = m_pane->transcript()->tokenCount() - m_heldAtOpening;
    if (m_state == ChatState::Ready && m_session && !m_partWanted && added > kMostAdded) {
        wantPart({PartRequest::At::Newest}, std::nullopt);
    }
}

}  // namespace gatescope
