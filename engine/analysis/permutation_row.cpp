// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "engine/analysis/permutation_statistic.h"

namespace gatescope {

namespace {

constexpr std::size_t kSubsets = std::size_t{1} << kPlacesPerGroup;
constexpr std::size_t kLanes = 8;
constexpr std::size_t kTile = 8;  // vectors of sums that stay in registers while rows are added

/// The compiler makes SIMD registers of these; of arrays it does not.
template <typename Value>
using Vector [[gnu::vector_size(kLanes * sizeof(Value))]] = Value;

/// [groups][subsets][width]: every subset is a smaller one and one place more. `values` holds
/// `width` of them for each place.
template <typename Out, typename In>
std::vector<Out> subsetSums(std::span<const std::uint32_t> places, const In* values,
                            std::size_t width) {
    const std::size_t groups = (places.size() + kPlacesPerGroup - 1) / kPlacesPerGroup;
    std::vector<Out> out(groups * kSubsets * width, 0);
    for (std::size_t group = 0; group < groups; ++group) {
        Out* table = out.data() + group * kSubsets * width;
        for (std::size_t bit = 0; bit < kPlacesPerGroup; ++bit) {
            const std::size_t place = group * kPlacesPerGroup + bit;
            if (place >= places.size()) break;
            const In* row = values + places[place] * width;
            const std::size_t with = std::size_t{1} << bit;
            for (std::size_t subset = 0; subset < with; ++subset) {
                const Out* from = table + subset * width;
                Out* to = table + (with + subset) * width;
                for (std::size_t i = 0; i < width; ++i) to[i] = static_cast<Out>(from[i] + row[i]);
            }
        }
    }
    return out;
}

/// Adds one row of each group's table.
template <typename Count, typename Sum>
void addSubsets(const Count* table, std::span<const std::uint8_t> picked, std::span<Sum> sums) {
    const std::size_t width = sums.size();
    std::size_t first = 0;
    for (; first + kTile * kLanes <= width; first += kTile * kLanes) {
        Vector<Sum> tile[kTile] = {};
        const Count* row = table + first;
        for (const std::uint8_t subset : picked) {
            const Count* from = row + subset * width;
            for (std::size_t i = 0; i < kTile; ++i) {
                Vector<Count> counts;
                std::memcpy(&counts, from + i * kLanes, sizeof counts);
                tile[i] += __builtin_convertvector(counts, Vector<Sum>);
            }
            row += kSubsets * width;
        }
        std::memcpy(sums.data() + first, tile, sizeof tile);
    }
    for (; first < width; ++first) {
        Sum sum = 0;
        const Count* row = table + first;
        for (const std::uint8_t subset : picked) {
            sum = static_cast<Sum>(sum + row[subset * width]);
            row += kSubsets * width;
        }
        sums[first] = sum;
    }
}

template <typename Count>
std::uint32_t largestOf(std::span<const Count> counts) {
    return counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
}

}  // namespace

PermutationRow::PermutationRow(const PermutationStatistic& statistic, int row)
    : m_statistic(statistic), m_row(static_cast<std::size_t>(row)) {
    const auto experts = static_cast<std::size_t>(statistic.m_experts);
    m_middle.resize(experts);
    m_wide.resize(experts);
    m_scores.resize(statistic.m_withExperts ? experts : 0);
    for (const PermutationStatistic::Stratum& stratum : statistic.m_strata) {
        Subsets subsets;
        const std::size_t first = m_row * stratum.units->places();
        subsets.choices =
            subsetSums<std::uint32_t>(stratum.places, stratum.units->choices.data() + first, 1);
        std::visit(
            [&](const auto& counts) {
                using Count = typename std::decay_t<decltype(counts)>::value_type;
                const Count* values = counts.data() + first * experts;
                const std::span<const Count> all(values, stratum.units->places() * experts);
                if (stratum.largest > 0xFFFF) {
                    subsets.counts = subsetSums<std::uint32_t>(stratum.places, values, experts);
                } else if (largestOf(all) * kPlacesPerGroup > 0xFF) {
                    subsets.counts = subsetSums<std::uint16_t>(stratum.places, values, experts);
                } else {
                    subsets.counts = subsetSums<std::uint8_t>(stratum.places, values, experts);
                }
            },
            stratum.units->counts);
        m_subsets.push_back(std::move(subsets));
    }
}

std::int64_t PermutationRow::divergence(const PickedPlaces& picked) {
    std::fill(m_scores.begin(), m_scores.end(), 0.0F);
    std::int64_t value = 0;
    for (std::size_t i = 0; i < m_subsets.size(); ++i) {
        const Subsets& subsets = m_subsets[i];
        std::int64_t choices = 0;
        for (std::size_t group = 0; group < picked[i].size(); ++group) {
            choices += subsets.choices[group * kSubsets + picked[i][group]];
        }
        if (const auto* narrow = std::get_if<Narrow>(&subsets.counts)) {
            addSubsets(narrow->data(), picked[i], std::span(m_middle));
            value += entropies<std::uint16_t>(i, m_middle, choices);
        } else if (const auto* middle = std::get_if<Middle>(&subsets.counts)) {
            addSubsets(middle->data(), picked[i], std::span(m_middle));
            value += entropies<std::uint16_t>(i, m_middle, choices);
        } else {
            addSubsets(std::get<Wide>(subsets.counts).data(), picked[i], std::span(m_wide));
            value += entropies<std::uint32_t>(i, m_wide, choices);
        }
    }
    return value;
}

template <typename Sum>
std::int64_t PermutationRow::entropies(std::size_t stratum, std::span<const Sum> sums,
                                       std::int64_t choices) {
    const PermutationStatistic::Stratum& from = m_statistic.m_strata[stratum];
    const std::size_t experts = sums.size();
    const std::uint32_t* totals = from.totals.data() + m_row * experts;
    const std::int64_t* entropy = m_statistic.m_entropy.data();
    std::int64_t value = -fixedEntropy(choices) - fixedEntropy(from.choices[m_row] - choices);
    for (std::size_t i = 0; i < experts; ++i) {
        value += entropy[sums[i]] + entropy[totals[i] - sums[i]];
    }
    if (m_scores.empty()) return value;
    const float* shares = from.shares.data() + m_row * experts;
    const auto n = static_cast<float>(choices);
    for (std::size_t i = 0; i < experts; ++i) {
        m_scores[i] += static_cast<float>(static_cast<std::int32_t>(sums[i])) - shares[i] * n;
    }
    return value;
}

float PermutationRow::largestScore() const {
    const std::size_t experts = m_scores.size();
    const float* inverse = m_statistic.m_inverse.data() + m_row * experts;
    std::array<float, kLanes> most{};
    std::size_t i = 0;
    for (; i + kLanes <= experts; i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const float score = std::abs(m_scores[i + lane] * inverse[i + lane]);
            most[lane] = score > most[lane] ? score : most[lane];
        }
    }
    for (; i < experts; ++i) most[0] = std::max(most[0], std::abs(m_scores[i] * inverse[i]));
    return *std::max_element(most.begin(), most.end());
}

void PermutationRow::scores(std::span<float> out) const {
    const float* inverse = m_statistic.m_inverse.data() + m_row * out.size();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = m_scores[i] * inverse[i];
}

}  // namespace gatescope
