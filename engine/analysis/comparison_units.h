// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "engine/analysis/comparison_tokens.h"
#include "engine/analysis/unit_labels.h"

namespace gatescope {

/// What one stratum's units chose. A unit without tokens of the stratum has no place in it.
struct StratumUnits {
    std::vector<std::uint32_t> units;  ///< by place: which unit, ascending
    /// [rows][places] choices made, N
    std::vector<std::uint32_t> choices;
    /// [rows][places][E] times chosen, in the smallest type that holds them
    std::variant<std::vector<std::uint8_t>, std::vector<std::uint16_t>, std::vector<std::uint32_t>>
        counts;

    std::size_t places() const { return units.size(); }
};

/// What is exchanged between the sides, and what it chose. Units are numbered side A's first, then
/// stratum by stratum, in order of answer and position.
struct ComparisonUnits {
    int rows = 0;
    int experts = 0;
    std::vector<std::uint8_t> sides;    ///< [units] 0: A, 1: B
    std::vector<std::uint32_t> groups;  ///< [units] units of one group may be exchanged
    std::vector<std::int64_t> tokens;   ///< [units] over the strata
    std::uint32_t groupCount = 0;
    std::vector<StratumUnits> strata;
    std::vector<int> strataIndex;  ///< which of kComparisonStrata each is

    /// A against B.
    std::vector<LabelGroup> labelGroups() const;
    /// One side's first half of each group against its second.
    std::vector<LabelGroup> halves(int side) const;
    int unitsOf(int side) const;
    /// [E] what the units with a label other than 0 chose in a row.
    std::vector<std::int64_t> counts(int row, std::span<const std::uint8_t> labels) const;
};

/// The unit of these tokens: whole answers where both sides have at least 6 with tokens in the
/// main layers.
PermutedUnit unitOf(const ComparedTokens& tokens);

/// blockTokens, doubled until no side has more than kMostBlocks blocks in the main layers.
int usedBlockTokens(const ComparedTokens& tokens, int blockTokens);

/// Cuts the tested strata of the main layers or of the MTP layer into units.
///
/// Block: an answer's tokens of one stratum, in order of position, are cut into as many blocks as
/// hold `blockTokens` each, at least one, equally long to within a token: no short rest is left.
/// Blocks are exchanged within their stratum.
/// Answer: one unit for all of an answer's tokens, exchanged with every other answer; neighbouring
/// answers share a unit where a side has more than kMostBlocks.
ComparisonUnits comparisonUnits(const ComparedTokens& tokens, bool mtp, PermutedUnit unit,
                                int blockTokens);

}  // namespace gatescope
