// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/unit_labels.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/analysis/split_random.h"

namespace gatescope {

namespace {

/// n choose k; exact as long as a double is.
double choose(std::size_t n, std::size_t k) {
    double out = 1;
    for (std::size_t i = 1; i <= std::min(k, n - k); ++i) {
        out = out * static_cast<double>(n - std::min(k, n - k) + i) / static_cast<double>(i);
    }
    return std::round(out);
}

double choose(const LabelGroup& group) {
    return choose(group.units.size(), static_cast<std::size_t>(group.first));
}

}  // namespace

UnitLabels::UnitLabels(std::size_t units, std::vector<LabelGroup> groups, std::uint64_t seed,
                       std::int64_t permutations)
    : m_units(units), m_groups(std::move(groups)), m_seed(seed) {
    for (const LabelGroup& group : m_groups) m_assignments *= choose(group);
    m_exact = m_assignments <= static_cast<double>(permutations);
    m_count = m_exact ? static_cast<std::int64_t>(m_assignments) : permutations;
}

int UnitLabels::unitsFirst() const {
    int out = 0;
    for (const LabelGroup& group : m_groups) out += group.first;
    return out;
}

int UnitLabels::unitsSecond() const {
    int out = 0;
    for (const LabelGroup& group : m_groups) out += static_cast<int>(group.units.size());
    return out - unitsFirst();
}

double UnitLabels::smallestP() const {
    double alike = 1;
    for (const LabelGroup& group : m_groups) {
        if (2 * static_cast<std::size_t>(group.first) == group.units.size()) alike *= 2;
    }
    const double least = alike / m_assignments;
    if (!(least < 1)) return std::numeric_limits<double>::quiet_NaN();
    return m_exact ? least : std::max(least, 1 / (static_cast<double>(m_count) + 1));
}

void UnitLabels::observed(std::span<std::uint8_t> labels) const {
    assert(labels.size() == m_units);
    std::fill(labels.begin(), labels.end(), std::uint8_t{0});
    for (const LabelGroup& group : m_groups) {
        for (int i = 0; i < group.first; ++i) labels[group.units[static_cast<std::size_t>(i)]] = 1;
    }
}

void UnitLabels::draw(std::int64_t index, std::span<std::uint8_t> labels) const {
    assert(labels.size() == m_units && index >= 0 && index < m_count);
    std::fill(labels.begin(), labels.end(), std::uint8_t{0});
    m_exact ? drawExact(index, labels) : drawRandom(index, labels);
}

void UnitLabels::drawRandom(std::int64_t index, std::span<std::uint8_t> labels) const {
    SplitRandom random(m_seed, static_cast<std::uint64_t>(index));
    std::vector<std::uint32_t> left;
    for (const LabelGroup& group : m_groups) {
        left = group.units;
        for (std::size_t i = 0; i < static_cast<std::size_t>(group.first); ++i) {
            const std::size_t other = i + random.below(static_cast<std::uint32_t>(left.size() - i));
            std::swap(left[i], left[other]);
            labels[left[i]] = 1;
        }
    }
}

/// Mixed radix over the groups, and within each the combination of that rank: unit by unit, is it
/// on the first side, and how many combinations are left behind if it is.
void UnitLabels::drawExact(std::int64_t index, std::span<std::uint8_t> labels) const {
    for (const LabelGroup& group : m_groups) {
        const auto combinations = static_cast<std::int64_t>(choose(group));
        std::int64_t rank = index % combinations;
        index /= combinations;
        auto wanted = static_cast<std::size_t>(group.first);
        for (std::size_t i = 0; i < group.units.size() && wanted > 0; ++i) {
            const std::size_t behind = group.units.size() - i - 1;
            const auto with =
                behind >= wanted - 1 ? static_cast<std::int64_t>(choose(behind, wanted - 1)) : 0;
            if (rank < with) {
                labels[group.units[i]] = 1;
                --wanted;
            } else {
                rank -= with;
            }
        }
    }
}

}  // namespace gatescope
