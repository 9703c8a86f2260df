// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gatescope {

/// Units whose side may be exchanged with each other: the first `first` of them are on the first
/// side.
struct LabelGroup {
    std::vector<std::uint32_t> units;
    int first = 0;
};

/// Assignments of units to two sides that keep each side's number of units in every group: all of
/// them, if there are no more than asked for, or random ones. Each is a function of the seed and
/// its index alone, whoever asks for it and in which order.
class UnitLabels {
  public:
    /// `units`: how many there are, in groups or not. `permutations`: B.
    UnitLabels(std::size_t units, std::vector<LabelGroup> groups, std::uint64_t seed,
               std::int64_t permutations);

    /// Product over the groups of (units choose first); infinity where a double is too small.
    double assignments() const { return m_assignments; }
    bool exact() const { return m_exact; }
    /// B; if exact() the number of assignments, the observed one among them.
    std::int64_t count() const { return m_count; }
    /// The smallest p-value possible for a statistic that is a sum over the groups and does not
    /// know which side is which: where a group has as many units on either side, exchanging its
    /// sides changes nothing. NaN where there is nothing to exchange.
    double smallestP() const;
    int unitsFirst() const;
    int unitsSecond() const;

    /// [units] 1: first side, 0: second side or in no group.
    void observed(std::span<std::uint8_t> labels) const;
    /// The index'th assignment, 0 <= index < count().
    void draw(std::int64_t index, std::span<std::uint8_t> labels) const;

    const std::vector<LabelGroup>& groups() const { return m_groups; }

  private:
    void drawRandom(std::int64_t index, std::span<std::uint8_t> labels) const;
    void drawExact(std::int64_t index, std::span<std::uint8_t> labels) const;

    std::size_t m_units;
    std::vector<LabelGroup> m_groups;
    std::uint64_t m_seed;
    double m_assignments = 1;
    bool m_exact = false;
    std::int64_t m_count = 0;
};

}  // namespace gatescope
