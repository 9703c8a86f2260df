// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "app/live_feed.h"
#include "engine/analysis/routing_load.h"
#include "engine/decode/generation.h"

namespace gatescope {

/// Takes what the engine says while it answers: counts it and hands it to the window.
class AnswerSink final : public GenerationSink {
  public:
    AnswerSink(LiveFeed& feed, RoutingLoadCounter& counter);

    void onPrefill(std::int64_t done, std::int64_t total) override;
    void onToken(const TokenEvent& token, std::string_view text) override;
    void onStep(const StepTrace& step) override;

    /// The newest frame, whether due or not: after the last token.
    void publish();
    const std::string& streamedText() const { return m_text; }
    /// What was computed of the prompt, without affinities: it stays true when the answer is taken
    /// back.
    std::vector<RoutedToken>& promptTokens() { return m_promptTokens; }
    std::vector<RoutedToken>& promptMtpTokens() { return m_promptMtpTokens; }

  private:
    void publishIfDue();
    double tokensPerSecond() const;
    void keepPrompt(const StepTrace& step);

    LiveFeed& m_feed;
    RoutingLoadCounter& m_counter;
    LiveFrame m_frame;
    StepTiming m_total;
    std::string m_text;
    std::deque<std::chrono::steady_clock::time_point> m_times;  ///< of the last tokens
    std::vector<RoutedToken> m_promptTokens;
    std::vector<RoutedToken> m_promptMtpTokens;
};

}  // namespace gatescope
