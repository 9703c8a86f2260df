// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "app/engine_messages.h"

namespace gatescope {

struct Interventions;
class SessionParts;
class TraceStore;
class TranscriptView;

/// Writes what is said into a transcript and what was recorded about it into a trace store: the
/// messages of a stored session, and of a live one what both have in common.
class TranscriptWriter {
  public:
    TranscriptWriter(TranscriptView* transcript, TraceStore* store, SessionParts* parts);

    /// What notices say about context and layers; null: no model is open.
    void setModel(std::shared_ptr<const ModelFacts> model) { m_model = std::move(model); }
    /// Forgets the answers.
    void clear();
    /// All turns of a stored session, or of the part of it that was read.
    void write(const StoredSession& stored, const std::vector<PromptValue>& prompts);

    void userTurn(const QString& message, const PromptValue& prompt,
                  const std::vector<std::int32_t>& numbers);
    /// The answer that follows goes on from these many tokens that it was given.
    void given(int tokens);
    /// `turn`: in the log; `firstSeq`: of its first token that is shown.
    void beginAnswer(std::shared_ptr<const Interventions> interventions, int turn,
                     std::int64_t firstSeq = 0);
    /// The newest answer is taken out of transcript and store, and the question asked again.
    void takeBack();
    void notice(const QString& text);
    void dropped(int messages);
    void finish(Finish finish);
    /// If the newest answer was made with changed routing.
    void changedRouting();

    /// Number of the newest answer's first token; -1: none, or not the session's newest.
    std::int32_t answerFirst() const { return m_answerFirst; }
    void forgetAnswerFirst() { m_answerFirst = -1; }
    /// A question and the answer to it, by the numbers of their tokens.
    struct Exchange {
        int turn = -1;              ///< of the answer in the log
        std::int64_t firstSeq = 0;  ///< of the answer's first token on screen
        std::int32_t answer = 0;    ///< number of that token
        std::int32_t question = 0;  ///< numbers [question, questionEnd) of the message
        std::int32_t questionEnd = 0;
        QString text;
        std::shared_ptr<const Interventions> interventions;  ///< of the answer; null: none
    };
    const std::vector<Exchange>& exchanges() const { return m_exchanges; }
    /// Number of a token of an answer; -1: it is not shown.
    std::int32_t numberOf(int turn, std::int64_t seq) const;
    /// How the answer was routed that this token is of, or of whose prompt it is; null: as the
    /// model does.
    std::shared_ptr<const Interventions> interventionsOf(std::int32_t number) const;

    /// The newest answer was not ended when the session was read, because it is being written.
    void setStillWritten(bool written) { m_stillWritten = written; }

  private:
    void writePrompt(const PromptValue& prompt);
    void cutAnswer(const StoredTurn& turn);
    void answer(const StoredTurn& turn);
    void endOf(const StoredTurn& turn);
    void writeMessage(const PromptValue& prompt, const std::vector<std::int32_t>& numbers);

    TranscriptView* m_transcript;
    TraceStore* m_store;
    SessionParts* m_parts;
    std::shared_ptr<const ModelFacts> m_model;
    std::int32_t m_answerFirst = -1;
    std::shared_ptr<const Interventions> m_answerInterventions;  ///< of the newest answer
    std::vector<Exchange> m_exchanges;
    Exchange m_next;    ///< its message is shown
    QString m_message;  ///< before the answer; shown with its tokens once they are known
    bool m_messageWaits = false;
    bool m_stillWritten = false;
};

}  // namespace gatescope
