// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// Pairs whose expected count is smaller say nothing: their lift is noise.
inline constexpr double kMinExpectedPairs = 5;

/// Two experts of one layer and how often one token chose both.
struct ExpertPair {
    int first = 0;             ///< the lower id
    int second = 0;            ///< the higher id
    std::int64_t count = 0;    ///< tokens that chose both
    double expectedCount = 0;  ///< see CoactivationValue::expectedCount
    double lift = 0;
    double phi = 0;
};

/// Co-activation in one MoE layer: which experts the same token chooses together. Over all
/// k (k - 1) / 2 unordered pairs of a token's choices, not only pairs next to each other in rank,
/// so the values are larger than those of scripts that count rank neighbours.
///
/// The chance level is a router that chooses without replacement, every expert alike. Where slots
/// were empty the chance levels use the numbers of choices that were really made.
struct CoactivationValue {
    int row = 0;
    int layer = -1;                      ///< absolute index
    std::int64_t n = 0;                  ///< tokens with a choice in this layer
    std::int64_t choices = 0;            ///< sum of singles; n k when no slot was empty
    std::int64_t pairs = 0;              ///< sum of joint; n k (k - 1) / 2 when no slot was empty
    std::vector<std::uint32_t> singles;  ///< [E] tokens that chose the expert
    std::vector<std::uint32_t> jointCounts;  ///< [E (E - 1) / 2] upper triangle, row by row

    int experts() const { return static_cast<int>(singles.size()); }
    /// Tokens that chose both; for i == j the tokens that chose i.
    std::int64_t joint(int i, int j) const;
    /// C(i|j): of the tokens that chose j, the share that also chose i. NaN if none chose j.
    double conditional(int i, int j) const;
    /// What C(i|j) is by chance: (k - 1) / (E - 1). NaN without tokens.
    double chanceConditional() const;
    /// p_ij / (p_i p_j). NaN where an expert was never chosen.
    double lift(int i, int j) const;
    /// The lift by chance: (k - 1) E / ((E - 1) k), a little below 1, because a slot taken by one
    /// expert is not free for another. Exact for even load.
    double expectedLift() const;
    /// n p_i p_j times expectedLift(): the count by chance, given how often each is chosen.
    double expectedCount(int i, int j) const;
    /// Fewer than kMinExpectedPairs are expected: not to be shown as a value.
    bool masked(int i, int j) const;
    /// Correlation of the two indicators, -1 to 1. NaN where one never or always is chosen.
    double phi(int i, int j) const;
    /// The pairs with the largest lift, largest first (ties: lower ids first); none masked.
    std::vector<ExpertPair> topPairs(int count) const;
    /// The same among the pairs that `expert` is part of.
    std::vector<ExpertPair> topPairsOf(int expert, int count) const;
};

/// Counts pairs per row (the shape's layers, then the MTP layer if there is one): ordinary prefill
/// and decode positions in the main rows, ordinary draft positions in the MTP row. Special tokens
/// and rejected drafts never count. A row's table takes 2 E^2 bytes from its first token on.
class CoactivationCounter {
  public:
    /// Throws Error if there are MoE layers without experts or with more than 4096.
    explicit CoactivationCounter(RoutingShape shape);
    /// Throws Error, and counts nothing, if the routing does not fit the shape. Positions whose
    /// routing was not recorded are passed over.
    void add(const RoutedToken& token, bool mtp);
    /// Adds what was counted elsewhere with the same shape.
    void merge(const CoactivationCounter& other);
    int rows() const { return static_cast<int>(m_rows.size()); }
    /// A copy of the row's counts.
    CoactivationValue value(int row) const;

  private:
    RoutingShape m_shape;
    std::vector<CoactivationValue> m_rows;
};

}  // namespace gatescope
