// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/decode/generation.h"
#include "engine/session/session_log.h"

namespace gatescope {

/// Writes the tokens and steps of one answer to a session log and hands everything on to the sink
/// that shows it. A token is handed to the log before it is shown. Never blocks on the file.
class SessionRecorder : public GenerationSink {
  public:
    /// The turn is beginAnswer's; log and next must outlive the recorder.
    SessionRecorder(SessionLog& log, std::int64_t session, int turn, GenerationSink& next)
        : m_log(log), m_session(session), m_turn(turn), m_next(next) {}

    void onPrefill(std::int64_t done, std::int64_t total) override;
    void onToken(const TokenEvent& token, std::string_view text) override;
    void onStep(const StepTrace& step) override;

  private:
    SessionLog& m_log;
    std::int64_t m_session;
    int m_turn;
    GenerationSink& m_next;
};

}  // namespace gatescope
