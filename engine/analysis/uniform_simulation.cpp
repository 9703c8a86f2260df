// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/uniform_simulation.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include "engine/analysis/uniform_counts.h"

namespace gatescope {

namespace {

// Some ten milliseconds, once for each (E, k). The extremes of few experts scatter more.
constexpr std::int64_t kDraws = 2'000'000;
constexpr std::int64_t kFewExperts = 32;
constexpr std::size_t kTokens = UniformSimulation::kSimulatedTokens;
constexpr int kCompleteUpTo = 32;
constexpr int kPointsPerOctave = 8;

/// SplitMix64: the standard library's distributions differ between implementations, and the null
/// baseline must not.
class Random {
  public:
    explicit Random(std::uint64_t seed) : m_state(seed) {}
    /// Uniform below `bound` (at most 2^32); the bias of the multiplication is below 2^-32.
    std::size_t below(std::size_t bound) {
        m_state += 0x9E3779B97F4A7C15U;
        std::uint64_t z = m_state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        z ^= z >> 31;
        return static_cast<std::size_t>(((z >> 32) * bound) >> 32);
    }

  private:
    std::uint64_t m_state;
};

/// The statistics of counts in units that need no n: sums over experts.
struct Sums {
    double absolute;    // sum |c - mean|
    double squares;     // sum (c - mean)^2
    double ranked;      // sum (2 j - E - 1) c_(j)
    double unevenness;  // sum c ln(c / mean), which is N ln E (1 - entropy)
};

/// Counts of one simulated router, kept as "how many experts have count c": all statistics follow
/// from that in a few steps.
class Counts {
  public:
    explicit Counts(std::size_t experts)
        : m_counts(experts), m_order(experts), m_with(kTokens + 2), m_weight(kTokens + 2) {
        std::iota(m_order.begin(), m_order.end(), std::size_t{0});
        for (std::size_t c = 1; c < m_weight.size(); ++c) {
            m_weight[c] = static_cast<double>(c) * std::log(static_cast<double>(c));
        }
    }

    void clear() {
        std::fill(m_counts.begin(), m_counts.end(), 0);
        std::fill(m_with.begin(), m_with.end(), 0);
        m_with[0] = static_cast<std::int64_t>(m_counts.size());
        m_smallest = m_largest = 0;
    }

    void addToken(std::size_t topK, Random& random) {
        for (std::size_t j = 0; j < topK; ++j) {  // a partial shuffle chooses without return
            std::swap(m_order[j], m_order[j + random.below(m_order.size() - j)]);
            const std::size_t count = ++m_counts[m_order[j]];
            --m_with[count - 1];
            ++m_with[count];
            m_largest = std::max(m_largest, count);
        }
        while (m_with[m_smallest] == 0) {
            ++m_smallest;
        }
    }

    std::size_t largest() const { return m_largest; }
    std::size_t smallest() const { return m_smallest; }

    Sums sums(double mean) const {
        const auto experts = static_cast<double>(m_counts.size());
        Sums out{};
        out.unevenness = -experts * mean * std::log(mean);
        double below = 0;  // experts with a smaller count
        for (std::size_t c = m_smallest; c <= m_largest; ++c) {
            const auto with = static_cast<double>(m_with[c]);
            const auto count = static_cast<double>(c);
            out.absolute += with * std::abs(count - mean);
            out.squares += with * (count - mean) * (count - mean);
            out.ranked += with * (2 * below + with - experts) * count;
            out.unevenness += with * m_weight[c];
            below += with;
        }
        return out;
    }

  private:
    std::vector<std::size_t> m_counts;
    std::vector<std::size_t> m_order;
    std::vector<std::int64_t> m_with;  // experts by count
    std::vector<double> m_weight;      // c ln c
    std::size_t m_smallest = 0;
    std::size_t m_largest = 0;
};

std::vector<int> gridOfTokens() {
    std::vector<int> grid(kCompleteUpTo);
    std::iota(grid.begin(), grid.end(), 1);
    for (int i = 1; grid.back() < static_cast<int>(kTokens); ++i) {
        const double n = kCompleteUpTo * std::exp2(static_cast<double>(i) / kPointsPerOctave);
        grid.push_back(static_cast<int>(std::lround(n)));
    }
    return grid;
}

/// Mean, deviation and the smallest value that 95 % do not exceed. Reorders the values.
template <typename Value>
UniformStatistic statisticOf(std::vector<Value>& values) {
    UniformStatistic out;
    const auto trials = static_cast<double>(values.size());
    for (const Value value : values) {
        out.mean += static_cast<double>(value);
    }
    out.mean /= trials;
    double squares = 0;
    for (const Value value : values) {
        squares +=
            (static_cast<double>(value) - out.mean) * (static_cast<double>(value) - out.mean);
    }
    out.deviation = std::sqrt(squares / (trials - 1));
    const auto rank = static_cast<std::size_t>(std::ceil(0.95 * trials)) - 1;
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank),
                     values.end());
    out.p95 = static_cast<double>(values[rank]);
    return out;
}

RelativeSpread relative(const UniformStatistic& statistic, double reference) {
    return {statistic.deviation / reference, statistic.p95 / reference};
}

/// What all trials gave at one grid point.
struct Samples {
    std::vector<double> absolute, deviation, ranked, unevenness;

    void add(const Sums& sums) {
        absolute.push_back(sums.absolute);
        deviation.push_back(std::sqrt(sums.squares));
        ranked.push_back(sums.ranked);
        unevenness.push_back(sums.unevenness);
    }

    UniformSpread spread(int experts, int topK, int tokens) {
        const UniformCountMeans means = uniformCountMeans(experts, topK, tokens);
        const auto e = static_cast<double>(experts);
        const double choices = static_cast<double>(tokens) * topK;
        UniformSpread out;
        out.avgVio = relative(statisticOf(absolute), means.avgVio * choices);
        // sum (c - mean)^2 = E (mean CV)^2
        const double rms = std::sqrt((e - topK) / choices);
        out.cv = relative(statisticOf(deviation), rms * choices / std::sqrt(e));
        out.gini = relative(statisticOf(ranked), means.gini * e * choices);
        const double uneven = means.unevenness * choices * std::log(e);
        double effective = 0;
        for (const double value : unevenness) {
            effective += std::exp((uneven - value) / choices);
        }
        out.effectiveRatio = effective / static_cast<double>(unevenness.size());
        out.unevenness = relative(statisticOf(unevenness), uneven);
        return out;
    }
};

RelativeSpread mixed(const RelativeSpread& a, const RelativeSpread& b, double share) {
    return {std::lerp(a.deviation, b.deviation, share), std::lerp(a.p95, b.p95, share)};
}

}  // namespace

UniformSimulation::UniformSimulation(int experts, int topK) : m_grid(gridOfTokens()) {
    assert(topK > 0 && topK < experts);
    const auto k = static_cast<std::size_t>(topK);
    const std::int64_t draws = kDraws + kDraws * kFewExperts / experts;
    const auto trials = static_cast<std::size_t>(
        std::clamp<std::int64_t>(draws / (kSimulatedTokens * std::int64_t{topK}), 100, 4000));
    // By token first: a trial writes one column.
    std::vector<std::vector<std::uint16_t>> largest(kTokens, std::vector<std::uint16_t>(trials));
    std::vector<std::vector<std::int16_t>> smallest(kTokens, std::vector<std::int16_t>(trials));
    std::vector<Samples> samples(m_grid.size());
    Counts counts(static_cast<std::size_t>(experts));
    Random random(0x6761746573636F70U);
    const double fair = static_cast<double>(topK) / experts;
    for (std::size_t trial = 0; trial < trials; ++trial) {
        counts.clear();
        std::size_t point = 0;
        for (std::size_t token = 0; token < kTokens; ++token) {
            counts.addToken(k, random);
            largest[token][trial] = static_cast<std::uint16_t>(counts.largest());
            // Negative, so that its upper tail is the imbalance as well.
            smallest[token][trial] =
                static_cast<std::int16_t>(-static_cast<int>(counts.smallest()));
            if (static_cast<int>(token) + 1 == m_grid[point]) {
                samples[point++].add(counts.sums(static_cast<double>(token + 1) * fair));
            }
        }
    }
    for (std::size_t token = 0; token < kTokens; ++token) {
        m_largest.push_back(statisticOf(largest[token]));
        UniformStatistic least = statisticOf(smallest[token]);
        least.mean = -least.mean;
        least.p95 = -least.p95;
        m_smallest.push_back(least);
    }
    for (std::size_t point = 0; point < m_grid.size(); ++point) {
        m_spread.push_back(samples[point].spread(experts, topK, m_grid[point]));
    }
}

const UniformStatistic& UniformSimulation::largestCount(std::int64_t tokens) const {
    return m_largest[static_cast<std::size_t>(tokens - 1)];
}

const UniformStatistic& UniformSimulation::smallestCount(std::int64_t tokens) const {
    return m_smallest[static_cast<std::size_t>(tokens - 1)];
}

UniformSpread UniformSimulation::spread(std::int64_t tokens) const {
    const auto above = std::lower_bound(m_grid.begin(), m_grid.end(), tokens);
    if (above == m_grid.end()) {
        return m_spread.back();
    }
    const auto index = static_cast<std::size_t>(above - m_grid.begin());
    const UniformSpread& b = m_spread[index];
    if (*above == tokens) {
        return b;
    }
    const UniformSpread& a = m_spread[index - 1];
    const double share = std::log(static_cast<double>(tokens) / m_grid[index - 1]) /
                         std::log(static_cast<double>(m_grid[index]) / m_grid[index - 1]);
    UniformSpread out;
    out.avgVio = mixed(a.avgVio, b.avgVio, share);
    out.cv = mixed(a.cv, b.cv, share);
    out.gini = mixed(a.gini, b.gini, share);
    out.unevenness = mixed(a.unevenness, b.unevenness, share);
    out.effectiveRatio = std::lerp(a.effectiveRatio, b.effectiveRatio, share);
    return out;
}

}  // namespace gatescope
