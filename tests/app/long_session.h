// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "engine/session/session_log.h"
#include "engine/session/session_store.h"

namespace gatescope {

/// Writes sessions of any length as if a model had made them: tokens and routing of a real answer,
/// over and over.
class LongSession {
  public:
    /// `sample`: a session of at least one answer.
    LongSession(SessionLog& log, const StoredSession& sample) : m_log(log) {
        for (const StoredTurn& turn : sample.turns) {
            if (!turn.tokens.empty()) {
                m_sample = turn;
            }
        }
        SessionInfo info = sample.info;
        info.title = "a long session";
        m_session = log.beginSession(info);
    }

    std::int64_t session() const { return m_session; }

    /// A question and an answer of this many tokens.
    void add(int tokens) {
        m_log.addUserTurn(m_session, "Question " + std::to_string(m_answers++));
        const int turn = m_log.beginAnswer(m_session, {}, 0);
        m_log.promptTokens(m_session, turn, m_sample.promptIds);
        GenerationResult result;
        result.finish = Finish::Length;
        auto position = static_cast<std::int32_t>(m_sample.promptIds.size());
        for (int i = 0; i < tokens; ++i, ++position) {
            TokenEvent token = m_sample.tokens[static_cast<std::size_t>(i) % distinct()];
            token.position = position;
            token.step = i;
            token.draft = TokenEvent::Draft::None;
            StepTrace step = m_sample.steps[static_cast<std::size_t>(i) % m_sample.steps.size()];
            step.step = i;
            step.speculation.reset();
            if (i > 0) {
                step.tokens.resize(1);
                step.mtp.resize(step.mtp.empty() ? 0 : 1);
                step.tokens[0].phase = Phase::Decode;
                step.tokens[0].position = position - 1;
                step.tokens[0].tokenId = result.ids.back();
                for (RoutedToken& routed : step.mtp) {
                    routed.position = position - 1;
                }
            }
            m_log.token(m_session, turn, token);
            m_log.step(m_session, turn, step);
            result.ids.push_back(token.id);
            result.text += token.bytes;
            if (i % 2000 == 1999) {
                m_log.flush();  // the queue holds what is not written yet
            }
        }
        m_log.endAnswer(m_session, turn, result);
        m_log.flush();
    }

  private:
    /// Without the last, which may be an end token.
    std::size_t distinct() const { return m_sample.tokens.size() - 1; }

    SessionLog& m_log;
    StoredTurn m_sample;
    std::int64_t m_session = 0;
    int m_answers = 0;
};

}  // namespace gatescope
