// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/analysis/uniform_router.h"

namespace gatescope {

/// How far a statistic scatters, in units of its exact mean (of CV: root mean square).
struct RelativeSpread {
    double deviation = 0;
    double p95 = 1;  ///< in the direction of imbalance
};

/// Spread of the statistics that sum over all experts.
struct UniformSpread {
    RelativeSpread avgVio;
    RelativeSpread cv;
    RelativeSpread gini;
    RelativeSpread unevenness;  ///< 1 - normalised entropy
    /// Mean effective experts over E exp(-ln E mean unevenness): the exponential of a mean is not
    /// the mean of the exponential.
    double effectiveRatio = 1;
};

/// Uniform routers of one (E, k), simulated for 1 to kSimulatedTokens tokens. The extreme counts
/// are kept for every n, because whole numbers do not interpolate; the sums over experts on a grid
/// of n that is complete up to 32 and has 8 points per octave beyond.
class UniformSimulation {
  public:
    static constexpr int kSimulatedTokens = 512;

    /// 1 <= topK < experts
    UniformSimulation(int experts, int topK);

    const UniformStatistic& largestCount(std::int64_t tokens) const;   ///< 1 .. kSimulatedTokens
    const UniformStatistic& smallestCount(std::int64_t tokens) const;  ///< its p95 is the 5 % point
    /// Beyond kSimulatedTokens: that at kSimulatedTokens, the limit it has reached by then.
    UniformSpread spread(std::int64_t tokens) const;

  private:
    std::vector<UniformStatistic> m_largest;   ///< [kSimulatedTokens]
    std::vector<UniformStatistic> m_smallest;  ///< [kSimulatedTokens]
    std::vector<int> m_grid;                   ///< n, ascending
    std::vector<UniformSpread> m_spread;       ///< by grid point
};

}  // namespace gatescope
