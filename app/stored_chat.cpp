// SPDX-License-Identifier: GPL-3.0-or-later
// The part of ChatController that shows stored sessions.
#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "views/selection.h"
#include "views/transcript_view.h"

namespace gatescope {

void ChatController::openSession(std::shared_ptr<const StoredSession> stored) {
    if (m_state == ChatState::Answering || m_state == ChatState::Loading) {
        if (m_parts.isWanted()) {
            m_parts.forgetWanted();
            return;  // another part of the session that is on screen: it can be asked for again
        }
        showError(m_state == ChatState::Answering
                      ? tr("Stop the answer (Esc) to open another session.")
                      : tr("Wait for the model to load, or cancel, to open a session."));
        return;
    }
    if (m_parts.isWanted() && !m_session) {
        m_parts.forgetWanted();  // a part of a session that is no longer on screen
        return;
    }
    m_engine->openSession(std::move(stored));
}

void ChatController::onSessionOpened(const OpenedSession& opened) {
    const StoredSession& stored = opened.stored;
    const bool mine = m_model && m_model->fingerprint == stored.info.modelFingerprint;
    const bool moved = m_session == stored.summary.id;
    const auto selected = moved ? m_parts.tokenOf(m_selection->position()) : std::nullopt;
    const SelectionPoint before = m_selection->current();
    clearConversation(stored.info.shape, mine ? m_model->tokens : nullptr);
    if (!moved) {
        m_parts.forgetPlace();
        m_promptForNewest.clear();
    }
    m_parts.begin(stored);
    m_session = stored.summary.id;
    SelectionPoint point = m_selection->current();
    point.session = m_session;
    m_selection->replace(point);

    m_writer.write(stored, opened.prompts);
    m_pane->showTranscript(!m_pane->transcript()->isEmpty());
    endPart(selected, before);
    m_closedReason = tr("Made with %1. Open that model to go on, or begin a new session (Ctrl+N).")
                         .arg(QString::fromStdString(stored.info.modelName));
    setState(opened.canContinue ? ChatState::Ready : ChatState::Closed);
    Q_EMIT sessionChanged();
    if (const QString next = std::exchange(m_promptForNewest, {}); !next.isEmpty()) {
        send(next);
    }
}

}  // namespace gatescope
