// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/shifted_experts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <variant>

#include "engine/analysis/split_random.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::int64_t sumOf(const std::vector<std::int64_t>& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

/// Half a choice keeps an expert that one side never chose finite.
double ratio(double shareA, double choicesA, double shareB, double choicesB) {
    return std::log2((shareB + 0.5 / choicesB) / (shareA + 0.5 / choicesA));
}

double quantile(const std::vector<double>& sorted, double share) {
    const double at = share * static_cast<double>(sorted.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, sorted.size() - 1);
    return sorted[low] + (at - std::floor(at)) * (sorted[high] - sorted[low]);
}

}  // namespace

double RowShares::log2Ratio(std::size_t expert) const {
    if (choicesA == 0 || choicesB == 0) return kNaN;
    return ratio(a[expert], static_cast<double>(choicesA), b[expert],
                 static_cast<double>(choicesB));
}

RowShares rowShares(const ComparedTokens& tokens, int row) {
    RowShares out;
    out.countsA = tokens.counts(0, row);
    out.countsB = tokens.counts(1, row);
    out.choicesA = sumOf(out.countsA);
    out.choicesB = sumOf(out.countsB);
    const bool any = out.choicesA > 0 && out.choicesB > 0;
    out.a.assign(out.countsA.size(), any ? 0 : kNaN);
    out.b = out.a;
    if (!any) return out;
    const auto all = static_cast<double>(out.choicesA + out.choicesB);
    for (int stratum = 0; stratum < kComparisonStrata; ++stratum) {
        const auto a = tokens.counts(0, stratum, row);
        const auto b = tokens.counts(1, stratum, row);
        const auto totalA = static_cast<double>(sumOf(a));
        const auto totalB = static_cast<double>(sumOf(b));
        if (!(totalA > 0) || !(totalB > 0)) continue;
        const double weight = (totalA + totalB) / all;
        for (std::size_t i = 0; i < a.size(); ++i) {
            out.a[i] += weight * static_cast<double>(a[i]) / totalA;
            out.b[i] += weight * static_cast<double>(b[i]) / totalB;
        }
    }
    return out;
}

ShareBootstrap::ShareBootstrap(const ComparisonUnits& units, std::uint64_t seed)
    : m_units(units),
      m_enough(units.unitsOf(0) > 1 && units.unitsOf(1) > 1),
      m_times(units.sides.size() * kDraws, 0) {
    std::array<std::vector<std::vector<std::uint32_t>>, 2> pools;  // [side][group]
    for (auto& pool : pools) pool.resize(units.groupCount);
    for (std::uint32_t unit = 0; unit < units.sides.size(); ++unit) {
        pools[units.sides[unit]][units.groups[unit]].push_back(unit);
    }
    for (std::size_t draw = 0; draw < kDraws; ++draw) {
        SplitRandom random(seed ^ 0xB007, draw);
        std::uint16_t* times = m_times.data() + draw * units.sides.size();
        for (const auto& pool : pools) {
            for (const std::vector<std::uint32_t>& group : pool) {
                for (std::size_t i = 0; i < group.size(); ++i) {
                    ++times[group[random.below(static_cast<std::uint32_t>(group.size()))]];
                }
            }
        }
    }
}

double ShareBootstrap::log2Ratio(int draw, int row, int expert) const {
    const std::uint16_t* times =
        m_times.data() + static_cast<std::size_t>(draw) * m_units.sides.size();
    std::array<double, 2> shares{};
    std::array<double, 2> choices{};
    double weights = 0;
    for (const StratumUnits& stratum : m_units.strata) {
        std::array<double, 2> counted{};
        std::array<double, 2> made{};
        double weight = 0;  // of the sample, not of the draw: it is not what is estimated
        const std::size_t first = static_cast<std::size_t>(row) * stratum.places();
        std::visit(
            [&](const auto& counts) {
                for (std::size_t place = 0; place < stratum.places(); ++place) {
                    const std::uint32_t unit = stratum.units[place];
                    const std::size_t cell = first + place;
                    const auto n = static_cast<double>(stratum.choices[cell]);
                    const double drawn = times[unit];
                    weight += n;
                    made[m_units.sides[unit]] += drawn * n;
                    counted[m_units.sides[unit]] +=
                        drawn * counts[cell * static_cast<std::size_t>(m_units.experts) +
                                       static_cast<std::size_t>(expert)];
                }
            },
            stratum.counts);
        if (!(made[0] > 0) || !(made[1] > 0)) continue;
        weights += weight;
        for (std::size_t side = 0; side < 2; ++side) {
            shares[side] += weight * counted[side] / made[side];
            choices[side] += made[side];
        }
    }
    return weights > 0 ? ratio(shares[0] / weights, choices[0], shares[1] / weights, choices[1])
                       : kNaN;
}

Interval ShareBootstrap::interval(int row, int expert, double level) const {
    if (!m_enough) return {kNaN, kNaN};
    std::vector<double> values;
    for (int draw = 0; draw < kDraws; ++draw) {
        const double value = log2Ratio(draw, row, expert);
        if (std::isfinite(value)) values.push_back(value);
    }
    if (values.empty()) return {kNaN, kNaN};
    std::sort(values.begin(), values.end());
    return {quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)};
}

}  // namespace gatescope
