// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "app/live_feed.h"
#include "engine/analysis/traffic_analysis.h"
#include "engine/decode/generation.h"

namespace gatescope {

/// The routing of a prompt, without affinities.
struct PromptRouting {
    std::vector<RoutedToken> main;
    std::vector<RoutedToken> mtp;

    void clear() { *this = {}; }
    /// Keeps what of a step belongs to a prompt of this many tokens, but for the first `counted`.
    void keep(const StepTrace& step, std::size_t counted, std::size_t promptTokens);
};

/// Counts a step but for the first `counted` positions of the context, which were counted before:
/// they may be computed again, when other work took the cache or to draft from them.
void addFresh(TrafficAnalysis& analysis, const StepTrace& step, std::size_t counted);

/// Takes what the engine says while it answers: counts it and hands it to the window.
class AnswerSink final : public GenerationSink {
  public:
    /// `counted` of the `prompt` positions were counted before: they may be computed again, when
    /// other work took the cache, but do not count again.
    AnswerSink(LiveFeed& feed, TrafficAnalysis& analysis, std::size_t counted, std::size_t prompt);

    void onPrefill(std::int64_t done, std::int64_t total) override;
    void onToken(const TokenEvent& token, std::string_view text) override;
    void onStep(const StepTrace& step) override;

    /// The newest frame, whether due or not: after the last token.
    void publish();
    const std::string& streamedText() const { return m_text; }
    /// What was computed of the prompt: it stays true when the answer is taken back.
    PromptRouting& promptRouting() { return m_promptRouting; }

  private:
    void noteSpeed();
    void publishIfDue();
    void publish(const FrameWants& wants);
    double tokensPerSecond() const;

    LiveFeed& m_feed;
    TrafficAnalysis& m_analysis;
    std::size_t m_counted;
    std::size_t m_prompt;
    double m_countedBefore;  ///< seconds that counting took before this answer
    LiveFrame m_frame;
    StepTiming m_total;
    std::string m_text;
    std::deque<std::chrono::steady_clock::time_point> m_times;  ///< of the last tokens
    PromptRouting m_promptRouting;
};

}  // namespace gatescope
