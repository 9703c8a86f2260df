// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "app/answer_sink.h"
#include "engine/analysis/traffic_analysis.h"
#include "engine/session/session_store.h"

namespace gatescope {

struct Interventions;

using BiasByRow = std::vector<std::vector<float>>;

bool sameInterventions(const std::shared_ptr<const Interventions>& a,
                       const std::shared_ptr<const Interventions>& b);

/// Nothing is counted yet; shape and bias are those of runs under these interventions.
TrafficAnalysis analysisUnder(const std::shared_ptr<const Interventions>& interventions,
                              const RoutingShape& shape, BiasByRow bias,
                              const ShadowParams& shadow = {});

/// A prompt whose answer was taken back: it was computed all the same.
void addPrompt(TrafficAnalysis& analysis, const PromptRouting& prompt);

/// What a stored session comes to when its steps are counted as they were when it was made. After
/// answers that were routed in another way counting begins anew: the two are never mixed.
struct StoredCounts {
    std::optional<TrafficAnalysis> analysis;
    std::optional<TrafficAnalysis> beforeAnswer;         ///< without the last answer that stands
    PromptRouting promptRouting;                         ///< of that answer
    std::vector<std::int32_t> counted;                   ///< the context that was routed
    std::shared_ptr<const Interventions> interventions;  ///< under which; null: none
    std::optional<CacheUse> cache;                       ///< after the last step
};

/// `bias`: of the session's model, empty if it is not at hand. Throws Error for routing that does
/// not fit the session's shape, Cancelled if stopped.
StoredCounts countSession(const StoredSession& stored, const BiasByRow& bias,
                          const ShadowParams& shadow = {}, const std::stop_token& stop = {});

}  // namespace gatescope
