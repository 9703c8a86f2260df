// SPDX-License-Identifier: GPL-3.0-or-later
// The part of ChatController that pages through a session too long to be shown at once.
#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "app/part_bar.h"
#include "views/chat_input.h"
#include "views/selection.h"
#include "views/transcript_view.h"

namespace gatescope {
namespace {

/// Tokens that may come to the transcript before its far end is dropped.
constexpr int kMostAdded = 16'000;

}  // namespace

void ChatController::connectParts() {
    connect(m_pane->conversation(), &TranscriptPane::partWanted, this, &ChatController::goToPart);
    connect(this, &ChatController::stateChanged, this,
            [this, bar = m_pane->part()] { bar->setUsable(m_state != ChatState::Answering); });
    // The answer is in the file by then.
    connect(m_engine, &EngineClient::sessionsChanged, this, &ChatController::dropFarEnd);
}

bool ChatController::hasPart(Part which) const {
    const bool idle = m_state == ChatState::Ready || m_state == ChatState::Closed;
    return idle && m_parts.has(which);
}

void ChatController::goToPart(Part which) {
    if (m_session && hasPart(which)) {
        wantPart(which);
    }
}

void ChatController::wantPart(Part which) {
    if (const auto request = m_parts.want(which)) {
        Q_EMIT partWanted(*m_session, *request);
    }
}

void ChatController::partFailed(const QString& error) {
    m_parts.forgetWanted();
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
    m_parts.clear();
    m_heldAtOpening = 0;
    showPartBar();
}

void ChatController::endPart(std::optional<std::int64_t> selected, const SelectionPoint& before) {
    m_heldAtOpening = m_pane->transcript()->tokenCount();
    showPartBar();
    if (part() != nullptr && !part()->end) {
        m_writer.forgetAnswerFirst();  // not the newest answer: not to be made again
    }
    m_parts.end(selected, before, m_selection, m_pane->transcript());
}

void ChatController::showPartBar() {
    m_pane->conversation()->setPart(part());
    Q_EMIT partChanged();
}

/// Of an answer that is being written in a session of which a part is shown.
void ChatController::countInPart(std::int64_t tokens) {
    if (part() != nullptr && tokens != 0) {
        m_parts.grow(tokens);
        showPartBar();
    }
}

void ChatController::dropFarEnd() {
    const int added = m_pane->transcript()->tokenCount() - m_heldAtOpening;
    if (m_state == ChatState::Ready && m_session && added > kMostAdded) {
        wantPart(Part::Newest);
    }
}

}  // namespace gatescope
