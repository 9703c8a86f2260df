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

/// Positions of a prompt that are held where only a part of the session is shown.
constexpr std::size_t kMostPrompt = 32'768;

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
        if (std::exchange(m_partWanted, false)) {
            return;  // another part of the session that is on screen: it can be asked for again
        }
        showError(m_state == ChatState::Answering
                      ? tr("Stop the answer (Esc) to open another session.")
                      : tr("Wait for the model to load, or cancel, to open a session."));
        return;
    }
    if (m_partWanted && !m_session) {
        m_partWanted = false;  // a part of a session that is no longer on screen
        return;
    }
    m_engine->openSession(std::move(stored));
}

void ChatController::onSessionOpened(const OpenedSession& opened) {
    const StoredSession& stored = opened.stored;
    const bool mine = m_model && m_model->fingerprint == stored.info.modelFingerprint;
    const bool moved = m_session == stored.summary.id;
    const auto selected = moved ? selectedToken() : std::nullopt;
    const SelectionPoint before = m_selection->current();
    clearConversation(stored.info.shape, mine ? m_model->tokens : nullptr);
    if (!moved) {
        m_partAnchor.reset();
        m_promptForNewest.clear();
    }
    beginPart(stored);
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
        if (i == 0 && stored.extent.cutBefore > 0) {
            showCutAnswer(turn);
            continue;
        }
        const std::vector<PromptPiece>& pieces = opened.prompts[i].pieces;
        const std::vector<std::int32_t> numbers = m_store->setPrompt(
            pieces, m_part && pieces.size() > kMostPrompt ? pieces.size() - kMostPrompt : 0);
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
    endPart(selected, before);
    m_closedReason = tr("Made with %1. Open that model to go on, or begin a new session (Ctrl+N).")
                         .arg(QString::fromStdString(stored.info.modelName));
    setState(opened.canContinue ? ChatState::Ready : ChatState::Closed);
    Q_EMIT sessionChanged();
    if (const QString next = std::exchange(m_promptForNewest, {}); !next.isEmpty()) {
        send(next);
    }
}

/// The part begins within an answer.
void ChatController::showCutAnswer(const StoredTurn& turn) {
    showNotice(tr("The beginning of this answer is in the part before."));
    m_store->beginAt(turn.tokens.empty() ? 0 : turn.tokens.front().position);
    showAnswerTurn(turn);
}

void ChatController::showAnswerTurn(const StoredTurn& turn) {
    if (turn.droppedMessages > 0) {
        showNotice(droppedText(turn.droppedMessages));
    }
    TranscriptView* transcript = m_pane->transcript();
    const bool cut = m_part && m_shown.empty();
    showGiven(turn.givenTokens);
    beginAnswer(settingsFromJson(turn.paramsJson).interventions, turn.turn,
                cut ? m_part->cutBefore : 0);
    transcript->beginTurn(TranscriptView::Turn::Answer);
    AnswerText text(turn);
    const std::int64_t begin = m_shown.empty() ? m_part ? m_part->firstToken : 0
                                               : m_shown.back().token + m_shown.back().count;
    m_shown.push_back({begin, m_store->size(), static_cast<std::int32_t>(turn.tokens.size())});
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
    const std::int64_t end = m_shown.back().token + m_shown.back().count;
    if (m_part && m_part->cutAfter > 0 && end == m_part->firstToken + m_part->tokens) {
        showNotice(tr("This answer goes on in the part behind."));
    } else if (turn.finish == "interrupted") {
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
