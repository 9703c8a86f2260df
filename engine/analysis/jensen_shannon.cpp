// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/jensen_shannon.h"

#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::int64_t sumOf(std::span<const std::int64_t> counts) {
    std::int64_t sum = 0;
    for (const std::int64_t count : counts) {
        if (count < 0) throw Error(fmt::format("Jensen-Shannon divergence: a count of {}", count));
        sum += count;
    }
    return sum;
}

/// One term of a Kullback-Leibler divergence in bits, p log2(p / m); m > 0 where p > 0.
double term(double p, double m) {
    return p > 0 ? p * std::log2(p / m) : 0;
}

/// The divergence as a sum of two KL divergences to the mixture: unlike a difference of entropies
/// it is exactly 0 for equal distributions.
double divergence(std::span<const std::int64_t> a, std::span<const std::int64_t> b, double countA,
                  double countB, double weightA) {
    assert(a.size() == b.size());
    if (!(countA > 0) || !(countB > 0)) return kNaN;
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double p = static_cast<double>(a[i]) / countA;
        const double q = static_cast<double>(b[i]) / countB;
        const double mixture = weightA * p + (1 - weightA) * q;
        sum += weightA * term(p, mixture) + (1 - weightA) * term(q, mixture);
    }
    return sum > 0 ? sum : 0;  // rounding may leave -1e-17
}

}  // namespace

double jensenShannonDivergence(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
    return divergence(a, b, static_cast<double>(sumOf(a)), static_cast<double>(sumOf(b)), 0.5);
}

double weightedJensenShannonDivergence(std::span<const std::int64_t> a,
                                       std::span<const std::int64_t> b) {
    const auto countA = static_cast<double>(sumOf(a));
    const auto countB = static_cast<double>(sumOf(b));
    return divergence(a, b, countA, countB, countA / (countA + countB));
}

double jensenShannonBiasNats(int categories, std::int64_t countA, std::int64_t countB) {
    const auto total = static_cast<double>(countA) + static_cast<double>(countB);
    return total > 0 ? (categories - 1) / (2 * total) : kNaN;
}

JensenShannon jensenShannon(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
    JensenShannon out;
    out.countA = sumOf(a);
    out.countB = sumOf(b);
    out.equal = jensenShannonDivergence(a, b);
    out.weighted = weightedJensenShannonDivergence(a, b);
    out.bias = jensenShannonBiasNats(static_cast<int>(a.size()), out.countA, out.countB) /
               std::numbers::ln2;
    out.corrected = out.weighted - out.bias;
    return out;
}

}  // namespace gatescope
