// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "engine/analysis/comparison_units.h"

namespace gatescope {

/// Assignments in the form in which they are counted: for each stratum the places of the units that
/// take part, in groups of kPlacesPerGroup, one bit each: on the side that is picked, the smaller.
inline constexpr std::size_t kPlacesPerGroup = 4;
using PickedPlaces = std::vector<std::vector<std::uint8_t>>;  ///< [strata][groups]

/// f(n) = n log2 n in units of 2^-28 bit.
std::int64_t fixedEntropy(std::int64_t n);

/// The statistics of assignments of units to sides, one row at a time. JSD_w needs n log2 n of
/// integers only: N JSD_w = sum over experts of f(a) + f(b) - f(a + b), less f(A) + f(B) - f(A + B)
/// of the totals, with f(n) = n log2 n. f is held as integers (2^-28 bit), so that a sum is the
/// same in any order and equal assignments are exactly equal. Immutable; threads share one.
class PermutationStatistic {
  public:
    PermutationStatistic(const ComparisonUnits& units, const UnitLabels& labels, bool experts);

    int rows() const { return m_rows; }
    int experts() const { return m_experts; }
    std::size_t units() const { return m_units; }
    bool withExperts() const { return m_withExperts; }
    bool hasChoices(int row) const { return m_choices[static_cast<std::size_t>(row)] > 0; }
    bool picksFirst() const { return m_picksFirst; }

    void pick(std::span<const std::uint8_t> labels, PickedPlaces& out) const;
    /// T in bits of what PermutationRow::divergence() gave.
    double bits(int row, std::int64_t divergence) const;

  private:
    friend class PermutationRow;
    struct Stratum {
        const StratumUnits* units = nullptr;
        std::vector<std::uint32_t> places;  ///< whose units take part
        std::vector<std::uint32_t> totals;  ///< [rows * E] of those
        std::vector<std::int64_t> choices;  ///< [rows] of those
        std::vector<float> shares;          ///< [rows * E] totals / choices
        std::uint32_t largest = 0;          ///< of totals

        std::size_t groups() const {
            return (places.size() + kPlacesPerGroup - 1) / kPlacesPerGroup;
        }
    };
    void addStratum(const StratumUnits& units, const std::vector<std::uint8_t>& member);
    void fillConstants();
    void fillDeviations(const UnitLabels& labels);
    void addResiduals(const Stratum& stratum, std::size_t row, std::vector<double>& out) const;

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

/// One row, made ready for many assignments: the sums of every subset of each group of units are
/// tabulated, which leaves a quarter of the additions, or less. For one thread.
class PermutationRow {
  public:
    PermutationRow(const PermutationStatistic& statistic, int row);

    /// N T in units of 2^-28 bit, without a constant that all assignments share.
    std::int64_t divergence(const PickedPlaces& picked);
    /// Of the last assignment: the largest |score|.
    float largestScore() const;
    /// Likewise [E] scores; positive: more on the picked side.
    void scores(std::span<float> out) const;

  private:
    using Narrow = std::vector<std::uint8_t>;
    using Middle = std::vector<std::uint16_t>;
    using Wide = std::vector<std::uint32_t>;
    /// [groups][subsets][E] and [groups][subsets], in the smallest type that holds them.
    struct Subsets {
        std::variant<Narrow, Middle, Wide> counts;
        Wide choices;
    };
    template <typename Sum>
    std::int64_t entropies(std::size_t stratum, std::span<const Sum> sums, std::int64_t choices);

    const PermutationStatistic& m_statistic;
    std::size_t m_row;
    std::vector<Subsets> m_subsets;  ///< by stratum
    Middle m_middle;                 ///< [E] sums of one assignment
    Wide m_wide;
    std::vector<float> m_scores;  ///< [E] not yet over the deviation
};

}  // namespace gatescope
