// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/analysis/comparison.h"
#include "engine/progress.h"
#include "engine/report/placement_plan.h"
#include "engine/report/report_value.h"

namespace gatescope {

/// What a person asks of a report.
struct ReportRequest {
    std::vector<std::int64_t> sessions;  ///< empty: all that are not deleted
    /// A second group, compared with `sessions`; the report is over both together.
    std::vector<std::int64_t> against;
    unsigned phases = kDefaultPhases;
    double falseDiscoveryRate = 0.05;
    PromptDetail prompts = PromptDetail::Hashes;
    /// For its biases; empty: where the sessions say the model is. Taken if it is still that model.
    std::filesystem::path modelDir;
    /// Groups, layers and bytes come from the model. No slots: one redundant expert for each GPU,
    /// and as many more as the GPUs need to have the same number.
    std::optional<PlacementRequest> placement;
    ComparisonOptions comparison;
    int threads = 0;  ///< 0: as many as there are cores; changes no number
    std::string program;
    std::int64_t createdMs = 0;
};

/// Most tokens of the two groups of a comparison, which is made in memory.
inline constexpr std::int64_t kMostComparedTokens = 2'000'000;

/// A report of stored sessions, which may be written to meanwhile: each is read as it stands when
/// the reading begins, a comparison's sides a little later. What is counted, of answers taken back
/// too: SessionCounts. Throws Error naming file and session, Cancelled.
ReportValue collectReport(const std::filesystem::path& sessionFile, const ReportRequest& request,
                          const Progress& progress = {}, std::stop_token stop = {});

/// The router whose loads somebody else recorded: they do not say it.
struct LoadsRouter {
    int topK = 0;        ///< k
    int groups = 1;      ///< n_group
    int topkGroups = 1;  ///< topk_group
};

/// A report of recorded loads (readRecordedLoads). Throws Error for counts that are not whole:
/// moving averages have no sample size; and where a layer's counts are not n k for the same n.
ReportValue reportOfLoads(const std::filesystem::path& loads, const LoadsRouter& router,
                          const ReportRequest& request, const Progress& progress = {},
                          std::stop_token stop = {});

}  // namespace gatescope
