// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/analysis/comparison.h"
#include "engine/analysis/comparison_units.h"

namespace gatescope {

/// The shares of one row's experts on both sides, the strata weighted alike: sum over strata of
/// N_s / N times c_s / (choices of the side in s), N_s the choices of both sides.
struct RowShares {
    std::int64_t choicesA = 0;
    std::int64_t choicesB = 0;
    std::vector<std::int64_t> countsA;  ///< [E]
    std::vector<std::int64_t> countsB;
    std::vector<double> a;  ///< [E]; NaN without choices
    std::vector<double> b;

    /// log2 of B's share over A's, half a choice added to each. NaN without choices.
    double log2Ratio(std::size_t expert) const;
};

RowShares rowShares(const ComparedTokens& tokens, int row);

/// Intervals of log2Ratio by resampling the units.
class ShareBootstrap {
  public:
    static constexpr int kDraws = 499;

    /// Draws, for either side and within each group, as many units as there are, with replacement.
    ShareBootstrap(const ComparisonUnits& units, std::uint64_t seed);

    /// Percentile interval for an expert in a row of the units. NaN where a side has fewer than two
    /// units.
    Interval interval(int row, int expert, double level) const;

  private:
    double log2Ratio(int draw, int row, int expert) const;

    const ComparisonUnits& m_units;
    bool m_enough;
    std::vector<std::uint16_t> m_times;  ///< [draws][units] how often each was drawn
};

}  // namespace gatescope
