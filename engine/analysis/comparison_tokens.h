// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/analysis/comparison.h"

namespace gatescope {

/// Strata of a comparison: prefill and decode positions through the main layers and draft positions
/// through the MTP layer, ordinary and special tokens each. Index 2 * phase + special.
inline constexpr int kComparisonStrata = 6;
inline constexpr int kMainStrata = 4;  ///< the MTP layer's come after them

/// The routed tokens of one answer that take part, by stratum and in order of position.
struct AnswerTokens {
    std::array<std::vector<const RoutedToken*>, kComparisonStrata> strata;
};

/// What of two runs is compared. Points into the runs.
struct ComparedTokens {
    RoutingShape shape;  ///< k the larger one of the two
    std::int64_t prefixTokens = 0;
    std::array<std::vector<AnswerTokens>, 2> sides;           ///< [side][answer]
    std::array<bool, kComparisonStrata> tested{};             ///< tokens on both sides
    std::array<RoutingShape, 2> shapes;                       ///< [side]
    std::array<std::shared_ptr<const RoutingLoad>, 2> loads;  ///< [side] of the tested strata

    std::int64_t tokens(int side, int stratum) const;
    int rows() const;
    /// Choices of each expert in a row, one stratum; [E], empty where nothing was counted.
    std::vector<std::int64_t> counts(int side, int stratum, int row) const;
    /// The same over all tested strata.
    std::vector<std::int64_t> counts(int side, int row) const;
};

/// Throws Error where the runs' layers or experts differ or a routing does not fit its run.
ComparedTokens comparedTokens(const ComparedRun& a, const ComparedRun& b,
                              const ComparisonOptions& options);

}  // namespace gatescope
