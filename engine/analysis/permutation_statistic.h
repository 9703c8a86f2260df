// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/analysis/comparison_units.h"

namespace gatescope {

/// The statistics of one assignment of units to sides, row by row. JSD_w needs n log2 n of
/// integers only: N JSD_w = sum over experts of f(a) + f(b) - f(a + b), less f(A) + f(B) - f(A + B)
/// of the totals, with f(n) = n log2 n. f is held as integers (2^-28 bit), so that a sum is the
/// same in any order and equal assignments are exactly equal. Immutable; threads share one and have
/// a Scratch each.
class PermutationStatistic {
  public:
    struct Scratch {
        std::vector<std::uint16_t> narrow;  ///< [E]
        std::vector<std::uint32_t> wide;    ///< [E]
        std::vector<float> scores;          ///< [E]
    };
    /// Of one assignment: the places of its smaller side, by stratum.
    using Picked = std::vector<std::vector<std::uint32_t>>;

    PermutationStatistic(const ComparisonUnits& units, const UnitLabels& labels, bool experts);

    int rows() const { return m_rows; }
    int experts() const { return m_experts; }
    std::size_t units() const { return m_units; }
    bool hasChoices(int row) const { return m_choices[static_cast<std::size_t>(row)] > 0; }
    bool picksFirst() const { return m_picksFirst; }

    void pick(std::span<const std::uint8_t> labels, Picked& out) const;
    /// N T in units of 2^-28 bit, without a constant that all assignments share.
    std::int64_t divergence(int row, const Picked& picked, Scratch& scratch) const;
    /// T in bits.
    double bits(int row, std::int64_t divergence) const;
    /// After divergence() of the same row and assignment: the largest |score|.
    float largestScore(int row, const Scratch& scratch) const;
    /// Likewise [E] scores, positive: more on the picked side.
    void scores(int row, const Scratch& scratch, std::span<float> out) const;

  private:
    struct Stratum {
        const StratumUnits* units = nullptr;
        std::vector<std::uint32_t> places;  ///< whose units take part
        std::vector<std::uint32_t> totals;  ///< [rows * E] of those
        std::vector<std::int64_t> choices;  ///< [rows] of those
        std::vector<float> shares;          ///< [rows * E] totals / choices
        bool narrow = false;                ///< 16 bits hold every sum
    };
    void addStratum(const StratumUnits& units, const std::vector<std::uint8_t>& member);
    void fillDeviations(const UnitLabels& labels);
    template <typename Sum>
    std::int64_t addStratum(const Stratum& stratum, int row, std::span<const std::uint32_t> picked,
                            std::span<Sum> sums, std::span<float> scores) const;

    int m_rows;
    int m_experts;
    std::size_t m_units;
    bool m_withExperts;
    bool m_picksFirst = true;
    std::vector<Stratum> m_strata;
    std::vector<std::int64_t> m_choices;    ///< [rows]
    std::vector<std::int64_t> m_constants;  ///< [rows] what bits() adds
    std::vector<std::int64_t> m_entropy;    ///< [n] f(n) for the counts of one expert
    std::vector<float> m_inverse;           ///< [rows * E] 1 / standard deviation of the score
};

}  // namespace gatescope
