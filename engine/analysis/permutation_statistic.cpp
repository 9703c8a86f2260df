// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/permutation_statistic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kScale = 1 << 28;
constexpr std::int64_t kMostChoices = std::int64_t{1} << 29;  // f of it fits 63 bits

std::int64_t entropy(std::int64_t n) {
    const auto value = static_cast<double>(n);
    return n > 1 ? static_cast<std::int64_t>(std::llround(value * std::log2(value) * kScale)) : 0;
}

/// Adds the rows of these places.
template <typename Count, typename Sum>
void sumPlaces(const Count* rows, std::span<const std::uint32_t> places, std::span<Sum> sums) {
    const std::size_t experts = sums.size();
    Sum* out = sums.data();
    std::fill(sums.begin(), sums.end(), Sum{0});
    for (const std::uint32_t place : places) {
        const Count* row = rows + place * experts;
        for (std::size_t i = 0; i < experts; ++i) out[i] = static_cast<Sum>(out[i] + row[i]);
    }
}

}  // namespace

PermutationStatistic::PermutationStatistic(const ComparisonUnits& units, const UnitLabels& labels,
                                           bool experts)
    : m_rows(units.rows),
      m_experts(units.experts),
      m_units(units.sides.size()),
      m_withExperts(experts),
      m_picksFirst(labels.unitsFirst() <= labels.unitsSecond()),
      m_choices(static_cast<std::size_t>(units.rows), 0),
      m_constants(static_cast<std::size_t>(units.rows), 0) {
    std::vector<std::uint8_t> member(m_units, 0);
    for (const LabelGroup& group : labels.groups()) {
        for (const std::uint32_t unit : group.units) member[unit] = 1;
    }
    for (const StratumUnits& stratum : units.strata) addStratum(stratum, member);
    std::uint32_t most = 0;
    for (const Stratum& stratum : m_strata) {
        for (const std::uint32_t total : stratum.totals) most = std::max(most, total);
    }
    m_entropy.resize(std::size_t{most} + 1);
    for (std::size_t n = 0; n < m_entropy.size(); ++n) {
        m_entropy[n] = entropy(static_cast<std::int64_t>(n));
    }
    const auto width = static_cast<std::size_t>(m_experts);
    for (std::size_t row = 0; row < m_choices.size(); ++row) {
        for (const Stratum& stratum : m_strata) {
            m_choices[row] += stratum.choices[row];
            m_constants[row] += entropy(stratum.choices[row]);
            for (std::size_t i = 0; i < width; ++i) {
                m_constants[row] -= m_entropy[stratum.totals[row * width + i]];
            }
        }
    }
    if (m_withExperts) fillDeviations(labels);
}

void PermutationStatistic::addStratum(const StratumUnits& units,
                                      const std::vector<std::uint8_t>& member) {
    Stratum out;
    out.units = &units;
    for (std::uint32_t place = 0; place < units.places(); ++place) {
        if (member[units.units[place]] != 0) out.places.push_back(place);
    }
    if (out.places.empty()) return;
    const auto rows = static_cast<std::size_t>(m_rows);
    const auto experts = static_cast<std::size_t>(m_experts);
    out.totals.resize(rows * experts);
    out.choices.resize(rows, 0);
    for (std::size_t row = 0; row < rows; ++row) {
        std::visit(
            [&](const auto& counts) {
                sumPlaces(counts.data() + row * units.places() * experts, out.places,
                          std::span(out.totals).subspan(row * experts, experts));
            },
            units.counts);
        for (const std::uint32_t place : out.places) {
            out.choices[row] += units.choices[row * units.places() + place];
        }
        if (out.choices[row] > kMostChoices) {
            throw Error(fmt::format("comparing runs: {} choices in one layer are too many",
                                    out.choices[row]));
        }
        for (std::size_t i = row * experts; i < (row + 1) * experts; ++i) {
            out.shares.push_back(static_cast<float>(out.totals[i]) /
                                 static_cast<float>(std::max<std::int64_t>(1, out.choices[row])));
        }
    }
    out.narrow = std::holds_alternative<std::vector<std::uint8_t>>(units.counts) &&
                 *std::max_element(out.totals.begin(), out.totals.end()) <= 0xFFFF;
    m_strata.push_back(std::move(out));
}

/// A unit's residual r is what it chose of an expert, less its choices times the expert's share in
/// the stratum, summed over the strata it has tokens in. A group's residuals sum to 0; giving m of
/// its M units to a side at random their sum has variance m (M - m) / (M (M - 1)) sum r^2.
void PermutationStatistic::fillDeviations(const UnitLabels& labels) {
    const auto experts = static_cast<std::size_t>(m_experts);
    m_inverse.assign(static_cast<std::size_t>(m_rows) * experts, 0);
    std::vector<double> factors(m_units, 0);
    for (const LabelGroup& group : labels.groups()) {
        const auto all = static_cast<double>(group.units.size());
        const double first = group.first;
        for (const std::uint32_t unit : group.units) {
            factors[unit] = all > 1 ? first * (all - first) / (all * (all - 1)) : 0;
        }
    }
    std::vector<double> residuals(m_units * experts);
    for (std::size_t row = 0; row < static_cast<std::size_t>(m_rows); ++row) {
        std::fill(residuals.begin(), residuals.end(), 0.0);
        for (const Stratum& stratum : m_strata) {
            const std::size_t places = stratum.units->places();
            std::visit(
                [&](const auto& counts) {
                    for (const std::uint32_t place : stratum.places) {
                        const std::size_t cell = row * places + place;
                        const auto n = static_cast<double>(stratum.units->choices[cell]);
                        double* out = residuals.data() + stratum.units->units[place] * experts;
                        for (std::size_t i = 0; i < experts; ++i) {
                            out[i] += static_cast<double>(counts[cell * experts + i]) -
                                      n * static_cast<double>(stratum.shares[row * experts + i]);
                        }
                    }
                },
                stratum.units->counts);
        }
        for (std::size_t i = 0; i < experts; ++i) {
            double variance = 0;
            for (std::size_t unit = 0; unit < m_units; ++unit) {
                const double residual = residuals[unit * experts + i];
                variance += factors[unit] * residual * residual;
            }
            // Rounding of the shares leaves 1e-10 where every unit chose alike.
            m_inverse[row * experts + i] =
                variance > 1e-6 ? static_cast<float>(1 / std::sqrt(variance)) : 0.0F;
        }
    }
}

void PermutationStatistic::pick(std::span<const std::uint8_t> labels, Picked& out) const {
    const std::uint8_t wanted = m_picksFirst ? 1 : 0;
    out.resize(m_strata.size());
    for (std::size_t i = 0; i < m_strata.size(); ++i) {
        out[i].clear();
        for (const std::uint32_t place : m_strata[i].places) {
            if (labels[m_strata[i].units->units[place]] == wanted) out[i].push_back(place);
        }
    }
}

template <typename Sum>
std::int64_t PermutationStatistic::addStratum(const Stratum& stratum, int row,
                                              std::span<const std::uint32_t> picked,
                                              std::span<Sum> sums, std::span<float> scores) const {
    const auto experts = static_cast<std::size_t>(m_experts);
    const auto index = static_cast<std::size_t>(row);
    const std::size_t places = stratum.units->places();
    std::visit(
        [&](const auto& counts) {
            using Count = typename std::decay_t<decltype(counts)>::value_type;
            if constexpr (sizeof(Count) < sizeof(Sum) || sizeof(Sum) == 4) {
                sumPlaces(counts.data() + index * places * experts, picked, sums);
            }
        },
        stratum.units->counts);
    std::int64_t choices = 0;
    for (const std::uint32_t place : picked)
        choices += stratum.units->choices[index * places + place];
    const std::uint32_t* totals = stratum.totals.data() + index * experts;
    std::int64_t value = -entropy(choices) - entropy(stratum.choices[index] - choices);
    for (std::size_t i = 0; i < experts; ++i) {
        value += m_entropy[sums[i]] + m_entropy[totals[i] - sums[i]];
    }
    if (m_withExperts) {
        const float* shares = stratum.shares.data() + index * experts;
        const auto n = static_cast<float>(choices);
        float* out = scores.data();
        const Sum* in = sums.data();
        for (std::size_t i = 0; i < experts; ++i) {
            out[i] += static_cast<float>(static_cast<std::int32_t>(in[i])) - shares[i] * n;
        }
    }
    return value;
}

std::int64_t PermutationStatistic::divergence(int row, const Picked& picked,
                                              Scratch& scratch) const {
    const auto experts = static_cast<std::size_t>(m_experts);
    scratch.narrow.resize(experts);
    scratch.wide.resize(experts);
    scratch.scores.assign(m_withExperts ? experts : 0, 0.0F);
    std::int64_t value = 0;
    for (std::size_t i = 0; i < m_strata.size(); ++i) {
        const Stratum& stratum = m_strata[i];
        value +=
            stratum.narrow
                ? addStratum<std::uint16_t>(stratum, row, picked[i], scratch.narrow, scratch.scores)
                : addStratum<std::uint32_t>(stratum, row, picked[i], scratch.wide, scratch.scores);
    }
    return value;
}

double PermutationStatistic::bits(int row, std::int64_t divergence) const {
    const auto index = static_cast<std::size_t>(row);
    const auto value = static_cast<double>(divergence + m_constants[index]) / kScale;
    return std::max(0.0, value / static_cast<double>(m_choices[index]));
}

float PermutationStatistic::largestScore(int row, const Scratch& scratch) const {
    constexpr std::size_t kLanes = 8;
    const auto experts = static_cast<std::size_t>(m_experts);
    const float* inverse = m_inverse.data() + static_cast<std::size_t>(row) * experts;
    const float* scores = scratch.scores.data();
    std::array<float, kLanes> most{};
    std::size_t i = 0;
    for (; i + kLanes <= experts; i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const float score = std::abs(scores[i + lane] * inverse[i + lane]);
            most[lane] = score > most[lane] ? score : most[lane];
        }
    }
    for (; i < experts; ++i) most[0] = std::max(most[0], std::abs(scores[i] * inverse[i]));
    return *std::max_element(most.begin(), most.end());
}

void PermutationStatistic::scores(int row, const Scratch& scratch, std::span<float> out) const {
    const std::size_t first = static_cast<std::size_t>(row) * static_cast<std::size_t>(m_experts);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = scratch.scores[i] * m_inverse[first + i];
}

}  // namespace gatescope
