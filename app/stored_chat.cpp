// SPDX-License-Identifier: GPL-3.0-or-later
// The part of ChatController that shows stored sessions.
#include <algorithm>

#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "engine/session/settings_json.h"
#include "engine/text/utf8_stream.h"
#include "views/selection.h"
#include "views/transcript_view.h"

namespace gatescope {
namespace {

/// What of a token's bytes belongs to the answer's text: end tokens and stop strings do not.
class AnswerText {
  public:
    explicit AnswerText(const StoredTurn& turn) : m_rest(turn.text), m_all(turn.text.empty()) {}

    std::string take(const std::string& bytes) {
        if (m_all) {
            return m_stream.push(bytes);
        }
        const auto end = std::mismatch(bytes.begin(), bytes.end(), m_rest.begin(), m_rest.end());
        const std::string mine(bytes.begin(), end.first);
        m_rest.erase(0, mine.size());
        return m_stream.push(mine);
    }
    std::string rest() { return m_stream.flush() + m_rest; }

  private:
    Utf8Stream m_stream;
    std::string m_rest;
    bool m_all;  ///< interrupted before the text was stored: every token counts
};

}  // namespace

void ChatController::openSession(std::shared_ptr<const StoredSession> stored) {
    if (m_state == ChatState::Answering || m_state == ChatState::Loading) {
        showError(m_state == ChatState::Answering
                      ? tr("Stop the answer (Esc) to open another session.")
                      : tr("Wait for the model to load, or cancel, to open a session."));
        return;
    }
    m_engine->openSession(std::move(stored));
}

void ChatController::onSessionOpened(const OpenedSession& opened) {
    const StoredSession& stored = opened.stored;
    const bool mine = m_model && m_model->fingerprint == stored.info.modelFingerprint;
    clearConversation(stored.info.shape, mine ? m_model->tokens : nullptr);
    m_session = stored.summary.id;
    SelectionPoint point = m_selection->current();
    point.session = m_session;
    m_selection->replace(point);

    QString message;
    bool shown = true;  // the message before the answer, with its tokens once they are known
    for (std::size_t i = 0; i < stored.turns.size(); ++i) {
        const StoredTurn& turn = stored.turns[i];
        if (turn.role == Role::User) {
            if (!shown) {
                showUserTurn(message, {}, {});
            }
            message = QString::fromStdString(turn.text);
            shown = false;
            continue;
        }
        const std::vector<std::int32_t> numbers = m_store->setPrompt(opened.prompts[i].pieces);
        if (!shown) {
            showUserTurn(message, opened.prompts[i], numbers);
            shown = true;
        }
        if (turn.replaced) {
            for (const StepTrace& step : turn.steps) {
                m_store->addReplacedStep(step);
            }
        } else {
            showAnswerTurn(turn);
        }
    }
    if (!shown) {
        showUserTurn(message, {}, {});
    }
    m_pane->transcript()->flush();
    m_pane->showTranscript(!m_pane->transcript()->isEmpty());
    m_closedReason = tr("Made with %1. Open that model to go on, or begin a new session (Ctrl+N).")
                         .arg(QString::fromStdString(stored.info.modelName));
    setState(opened.canContinue ? ChatState::Ready : ChatState::Closed);
    Q_EMIT sessionChanged();
}

void ChatController::showAnswerTurn(const StoredTurn& turn) {
    if (turn.droppedMessages > 0) {
        showNotice(droppedText(turn.droppedMessages));
    }
    TranscriptView* transcript = m_pane->transcript();
    beginAnswer(settingsFromJson(turn.paramsJson).interventions);
    transcript->beginTurn(TranscriptView::Turn::Answer);
    AnswerText text(turn);
    for (const TokenEvent& token : turn.tokens) {
        const std::int32_t number = m_store->addToken(token);
        transcript->append({number, QString::fromStdString(text.take(token.bytes)), token.draft});
    }
    if (const std::string rest = text.rest(); !rest.empty()) {
        transcript->appendText(QString::fromStdString(rest));
    }
    for (const StepTrace& step : turn.steps) {
        m_store->addStep(step);
    }
    transcript->flush();
    if (turn.finish == "interrupted") {
        showNotice(tr("The program ended while this was being written."));
    } else {
        for (const Finish finish : {Finish::Length, Finish::Context, Finish::Cancelled}) {
            if (turn.finish == name(finish)) {
                showFinish(finish);
            }
        }
    }
    showChangedRouting(m_answerInterventions.get());
}

}  // namespace gatescope
