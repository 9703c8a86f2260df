// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_recorder.h"

namespace gatescope {

void SessionRecorder::onPrefill(std::int64_t done, std::int64_t total) {
    m_next.onPrefill(done, total);
}

void SessionRecorder::onToken(const TokenEvent& token, std::string_view text) {
    m_log.token(m_session, m_turn, token);
    m_next.onToken(token, text);
}

void SessionRecorder::onStep(const StepTrace& step) {
    m_log.step(m_session, m_turn, step);
    m_next.onStep(step);
}

}  // namespace gatescope
