// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/analysis/routing_load.h"

namespace gatescope {

/// z-scores and differences need this many choices of an expert on average, n k/E: the usual limit
/// below which a count is too skewed to be read in standard deviations.
inline constexpr double kFewestExpected = 5;
/// The smallest n with n k/E >= kFewestExpected. 0 without experts.
std::int64_t tokensNeeded(const RoutingShape& shape);

/// Counts of the chosen phases together. Rows as in RoutingLoad.
struct RoutingCounts {
    std::vector<std::int64_t> counts;  ///< [rows * E]
    std::vector<std::int64_t> n;       ///< [rows]
};
RoutingCounts countsOf(const RoutingLoad& load, unsigned phases);

// Values of a layers x experts map, [rows * E] by expert id; NaN where there is nothing to show.

/// q = c E / (n k), in rows with at least `atLeast` tokens (and one).
std::vector<double> relativeLoads(const RoutingCounts& counts, const RoutingShape& shape,
                                  std::int64_t atLeast = 1);
/// Share of the row's gate mass times E.
std::vector<double> relativeGateMass(const RoutingLoad& load, unsigned phases);
/// (c - n k/E) / sqrt(n k/E (1 - k/E)), against a uniform router, in rows with tokensNeeded().
std::vector<double> zScores(const RoutingCounts& counts, const RoutingShape& shape);

/// (c - n p) / sqrt(n p (1 - p)); NaN where the deviation is 0.
double zScore(std::int64_t count, std::int64_t n, double p);
/// Half the range of a diverging scale: the smallest 2^i >= `smallest` that holds all but the
/// outermost 2 % of the values, so that one extreme cell does not wash out the others.
double divergingLimit(const std::vector<double>& values, double smallest);

}  // namespace gatescope
