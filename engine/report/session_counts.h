// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/analysis/coactivation.h"
#include "engine/analysis/placement.h"
#include "engine/analysis/routing_load.h"
#include "engine/analysis/speculation_stats.h"
#include "engine/progress.h"
#include "engine/report/report_value.h"
#include "engine/session/session_log.h"

namespace gatescope {

/// Everything that a report counts in stored sessions. What is counted are positions as they went
/// through the router: answers that stand, with their prompts; of an answer that was taken back the
/// prompt alone, which the next answer found in the cache. Answers whose routing was changed by
/// interventions are left out.
struct SessionCounts {
    SessionInfo model;  ///< of the first session
    std::vector<ReportedSession> sessions;
    std::int64_t changedRoutingAnswers = 0;
    RoutingLoad load;
    std::optional<CoactivationCounter> pairs;
    std::vector<std::int64_t> decided;  ///< [rows] choices that the bias decided, by recorded bits
    std::vector<std::int64_t> judged;   ///< [rows] tokens that those are of
    SpeculationCounter speculation;
    std::optional<ReportedCache> cache;
    std::vector<ExpertLoads> blocks;  ///< main rows; an answer, or some that follow each other
};

/// Reads sessions of one model with `threads` connections (0: as many as there are cores), in the
/// memory of a step and of the counters. The numbers do not depend on how many: what is rounded is
/// added up session by session. `phases`: of `decided`. Throws Error where a session is not there
/// or damaged, where two are of different models, and where nothing was routed; Cancelled.
SessionCounts countSessions(const std::filesystem::path& file,
                            std::span<const std::int64_t> sessions, PromptDetail prompts,
                            unsigned phases, int threads, const Progress& progress);

}  // namespace gatescope
