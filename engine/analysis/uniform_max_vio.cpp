// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/analysis/routing_load.h"

// Three ranges of n. Up to kSimulatedTokens counts are small, lumpy and strongly tied together (the
// k choices of a token differ), so they are simulated. Beyond, the counts are binomial and only
// their common sum ties them; where even the binomial's skew is gone, the normal limit serves. The
// ranges keep the cost of any call bounded: a map asks 30 times a second.

namespace gatescope {

namespace {

constexpr int kSimulatedTokens = 128;
constexpr std::int64_t kMaxDraws = 4'000'000;  // about 20 ms, once for each (E, k)
constexpr double kNormalVariance = 1e5;        // skew below 0.4 %: under 0.5 % of the result
constexpr int kBucketsPerOctave = 8;

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

/// Mean MaxVio after 1, 2, ... kSimulatedTokens tokens: one trial serves every n.
std::vector<double> simulateCurve(std::size_t experts, std::size_t topK) {
    const auto trials = static_cast<std::size_t>(std::clamp<std::int64_t>(
        kMaxDraws / (kSimulatedTokens * static_cast<std::int64_t>(topK)), 50, 4000));
    std::vector<std::size_t> order(experts);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::vector<int> counts(experts, 0);
    std::vector<double> sumOfMax(kSimulatedTokens, 0.0);
    Random random(0x6761746573636F70U);
    for (std::size_t trial = 0; trial < trials; ++trial) {
        std::fill(counts.begin(), counts.end(), 0);
        int largest = 0;
        for (std::size_t token = 0; token < kSimulatedTokens; ++token) {
            for (std::size_t j = 0; j < topK; ++j) {  // a partial shuffle chooses without return
                std::swap(order[j], order[j + random.below(experts - j)]);
                largest = std::max(largest, ++counts[order[j]]);
            }
            sumOfMax[token] += largest;
        }
    }
    for (std::size_t token = 0; token < kSimulatedTokens; ++token) {
        const double meanMax = sumOfMax[token] / static_cast<double>(trials);
        sumOfMax[token] = meanMax * static_cast<double>(experts) /
                              (static_cast<double>(token + 1) * static_cast<double>(topK)) -
                          1;
    }
    return sumOfMax;
}

/// E[max] of `experts` independent standard normals: the integral of 1 - F^E - (1-F)^E over x > 0.
double expectedMaxOfNormals(double experts) {
    constexpr double kStep = 1.0 / 256;
    double sum = 0;
    for (double x = kStep / 2; x < 12; x += kStep) {
        const double tail = 0.5 * std::erfc(x / std::sqrt(2.0));
        sum += -std::expm1(experts * std::log1p(-tail)) - std::pow(tail, experts);
    }
    return sum * kStep;
}

/// E[max] - mean of `experts` independent Bin(n, p), as the sum of P(max > x).
double expectedExcessOfBinomials(double experts, double n, double p) {
    const double mean = n * p;
    const double sigma = std::sqrt(n * p * (1 - p));
    const double first = std::max(0.0, std::floor(mean - 10 * sigma));
    const double last = std::min(n, std::ceil(mean + 12 * sigma + 20));
    double mass =
        std::exp(std::lgamma(n + 1) - std::lgamma(first + 1) - std::lgamma(n - first + 1) +
                 first * std::log(p) + (n - first) * std::log1p(-p));
    double below = 0;
    double excess = first - mean;  // P(max > x) is 1 for x < first
    for (double x = first; x < last; ++x) {
        below = std::min(1.0, below + mass);
        excess += 1 - std::pow(below, experts);
        mass *= (n - x) / (x + 1) * (p / (1 - p));
    }
    return excess;
}

/// For n beyond the simulation. The counts' sum is fixed, so they scatter around their own mean:
/// E[max(Z_i - mean Z)] = E[max Z_i], while Var(Z_i - mean Z) is smaller by (E-1)/E; matching the
/// counts' true variance np(1-p) therefore stretches the independent maximum by sqrt(E/(E-1)).
double asymptoticMaxVio(double experts, double topK, double n) {
    const double p = topK / experts;
    const double variance = n * p * (1 - p);
    const double excess = variance >= kNormalVariance
                              ? std::sqrt(variance) * expectedMaxOfNormals(experts)
                              : expectedExcessOfBinomials(experts, n, p);
    return excess * std::sqrt(experts / (experts - 1)) / (n * p);
}

class Baselines {
  public:
    double at(int experts, int topK, std::int64_t tokens) {
        const std::lock_guard lock(m_mutex);
        if (tokens <= kSimulatedTokens) {
            std::vector<double>& curve = m_curves[{experts, topK}];
            if (curve.empty()) {
                curve = simulateCurve(static_cast<std::size_t>(experts),
                                      static_cast<std::size_t>(topK));
            }
            return curve[static_cast<std::size_t>(tokens - 1)];
        }
        // Within a bucket MaxVio goes as 1/sqrt(n) up to a few per mille.
        const auto n = static_cast<double>(tokens);
        const int bucket = static_cast<int>(std::lround(std::log2(n) * kBucketsPerOctave));
        const double center =
            std::round(std::exp2(static_cast<double>(bucket) / kBucketsPerOctave));
        const auto [entry, isNew] = m_asymptotic.try_emplace({experts, topK, bucket}, 0.0);
        if (isNew) {
            entry->second = asymptoticMaxVio(experts, topK, center);
        }
        return entry->second * std::sqrt(center / n);
    }

  private:
    std::mutex m_mutex;
    std::map<std::pair<int, int>, std::vector<double>> m_curves;
    std::map<std::tuple<int, int, int>, double> m_asymptotic;
};

}  // namespace

double uniformMaxVio(int experts, int topK, std::int64_t tokens) {
    if (tokens <= 0 || topK <= 0 || topK > experts) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    if (topK == experts) {
        return 0;
    }
    static Baselines baselines;
    return baselines.at(experts, topK, tokens);
}

}  // namespace gatescope
