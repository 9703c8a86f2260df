// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engine/analysis/placement.h"

namespace gatescope {

/// A figure and how far it would scatter with other traffic of the same kind and amount.
struct BootstrapInterval {
    double value = 0;
    double low = 0;
    double high = 0;
};

struct ScoreOptions {
    int draws = 1000;     ///< of the bootstrap
    double level = 0.95;  ///< of the interval
    std::uint64_t seed = 1;
};

/// vLLM balancedness (vllmBalancedness) of the blocks' loads together. BootstrapInterval: blocks
/// are drawn with replacement, as tokens that follow each other are routed alike. Loads that are
/// drawn again scatter twice, which makes every draw look less even than the traffic is; the draws
/// are therefore moved so that their mean is the value. NaN where nothing was routed. Throws Error
/// without blocks, for blocks of another model than the placement's, for fewer than 1 draw and for
/// a level outside (0, 1).
BootstrapInterval scorePlacement(const Placement& placement, std::span<const ExpertLoads> blocks,
                                 const ScoreOptions& options = {});

/// Balancedness of `a` less that of `b` on the same blocks, both drawn together: traffic that is
/// uneven for both does not widen the interval.
BootstrapInterval scoreDifference(const Placement& a, const Placement& b,
                                  std::span<const ExpertLoads> blocks,
                                  const ScoreOptions& options = {});

/// Sum of the blocks' loads. Throws Error without blocks and for blocks of different models.
ExpertLoads summedLoads(std::span<const ExpertLoads> blocks);

/// A plan made on one half of the traffic: what it promises, and what it keeps.
struct SplitScore {
    Placement placement;
    double planned = 0;         ///< balancedness on the half planned on
    BootstrapInterval heldOut;  ///< on the other half
};

enum class TrafficSplit : std::uint8_t {
    Alternate,  ///< plan on the 1st, 3rd, 5th ... block: the halves are alike
    Halves,     ///< plan on the first half, score on what came later: drift counts
};

/// Plans on one half of the blocks and scores on the other. Throws Error for fewer than 2 blocks,
/// and what `plan` throws.
SplitScore splitScore(std::span<const ExpertLoads> blocks, TrafficSplit split,
                      const std::function<Placement(const ExpertLoads&)>& plan,
                      const ScoreOptions& options = {});

}  // namespace gatescope
