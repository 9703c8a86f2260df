// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/permutation_statistic.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <variant>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kScale = 1 << 28;
constexpr std::int64_t kMostChoices = std::int64_t{1} << 29;  // f of it fits 63 bits

}  // namespace

std::int64_t fixedEntropy(std::int64_t n) {
    const auto value = static_cast<double>(n);
    return n > 1 ? static_cast<std::int64_t>(std::llround(value * std::log2(value) * kScale)) : 0;
}

PermutationStatistic::PermutationStatistic(const ComparisonUnits& units, const UnitLabels& labels,
                                           bool experts)
    : m_rows(units.rows),
      m_experts(units.experts),
      m_units(units.sides.size()),
      m_withExperts(experts),
      m_picksFirst(labels.unitsFirst() <= labels.unitsSecond()) {
    std::vector<std::uint8_t> member(m_units, 0);
    for (const LabelGroup& group : labels.groups()) {
        for (const std::uint32_t unit : group.units) member[unit] = 1;
    }
    for (const StratumUnits& stratum : units.strata) addStratum(stratum, member);
    fillConstants();
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
    std::visit(
        [&](const auto& counts) {
            for (std::size_t row = 0; row < rows; ++row) {
                std::uint32_t* totals = out.totals.data() + row * experts;
                for (const std::uint32_t place : out.places) {
                    const std::size_t cell = row * units.places() + place;
                    out.choices[row] += units.choices[cell];
                    for (std::size_t i = 0; i < experts; ++i) {
                        totals[i] += counts[cell * experts + i];
                    }
                }
            }
        },
        units.counts);
    for (std::size_t i = 0; i < out.totals.size(); ++i) {
        const std::int64_t choices = out.choices[i / experts];
        if (choices > kMostChoices) {
            throw Error(
                fmt::format("comparing runs: {} choices in one layer are too many", choices));
        }
        out.largest = std::max(out.largest, out.totals[i]);
        out.shares.push_back(static_cast<float>(out.totals[i]) /
                             static_cast<float>(std::max<std::int64_t>(1, choices)));
    }
    m_strata.push_back(std::move(out));
}

void PermutationStatistic::fillConstants() {
    std::uint32_t most = 0;
    for (const Stratum& stratum : m_strata) most = std::max(most, stratum.largest);
    m_entropy.resize(std::size_t{most} + 1);
    for (std::size_t n = 0; n < m_entropy.size(); ++n) {
        m_entropy[n] = fixedEntropy(static_cast<std::int64_t>(n));
    }
    const auto experts = static_cast<std::size_t>(m_experts);
    m_choices.assign(static_cast<std::size_t>(m_rows), 0);
    m_constants = m_choices;
    for (std::size_t row = 0; row < m_choices.size(); ++row) {
        for (const Stratum& stratum : m_strata) {
            m_choices[row] += stratum.choices[row];
            m_constants[row] += fixedEntropy(stratum.choices[row]);
            for (std::size_t i = 0; i < experts; ++i) {
                m_constants[row] -= m_entropy[stratum.totals[row * experts + i]];
            }
        }
    }
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
    std::vector<double> variances(experts);
    for (std::size_t row = 0; row < static_cast<std::size_t>(m_rows); ++row) {
        std::fill(residuals.begin(), residuals.end(), 0.0);
        for (const Stratum& stratum : m_strata) addResiduals(stratum, row, residuals);
        std::fill(variances.begin(), variances.end(), 0.0);
        for (std::size_t i = 0; i < residuals.size(); ++i) {
            variances[i % experts] += factors[i / experts] * residuals[i] * residuals[i];
        }
        for (std::size_t i = 0; i < experts; ++i) {
            // Rounding of the shares leaves 1e-10 where every unit chose alike.
            m_inverse[row * experts + i] =
                variances[i] > 1e-6 ? static_cast<float>(1 / std::sqrt(variances[i])) : 0.0F;
        }
    }
}

/// `out`: [units][E].
void PermutationStatistic::addResiduals(const Stratum& stratum, std::size_t row,
                                        std::vector<double>& out) const {
    const auto experts = static_cast<std::size_t>(m_experts);
    const auto all = static_cast<double>(std::max<std::int64_t>(1, stratum.choices[row]));
    std::visit(
        [&](const auto& counts) {
            for (const std::uint32_t place : stratum.places) {
                const std::size_t cell = row * stratum.units->places() + place;
                const double part = static_cast<double>(stratum.units->choices[cell]) / all;
                double* residuals = out.data() + stratum.units->units[place] * experts;
                for (std::size_t i = 0; i < experts; ++i) {
                    residuals[i] += static_cast<double>(counts[cell * experts + i]) -
                                    part * stratum.totals[row * experts + i];
                }
            }
        },
        stratum.units->counts);
}

void PermutationStatistic::pick(std::span<const std::uint8_t> labels, PickedPlaces& out) const {
    const std::uint8_t wanted = m_picksFirst ? 1 : 0;
    out.resize(m_strata.size());
    for (std::size_t i = 0; i < m_strata.size(); ++i) {
        const Stratum& stratum = m_strata[i];
        out[i].assign(stratum.groups(), 0);
        for (std::size_t at = 0; at < stratum.places.size(); ++at) {
            if (labels[stratum.units->units[stratum.places[at]]] != wanted) continue;
            out[i][at / kPlacesPerGroup] |= static_cast<std::uint8_t>(1U << at % kPlacesPerGroup);
        }
    }
}

double PermutationStatistic::bits(int row, std::int64_t divergence) const {
    const auto index = static_cast<std::size_t>(row);
    const auto value = static_cast<double>(divergence + m_constants[index]) / kScale;
    const double rounding = 2.0 * m_experts * static_cast<double>(m_strata.size()) / kScale;
    return value > rounding ? value / static_cast<double>(m_choices[index]) : 0.0;
}

}  // namespace gatescope
