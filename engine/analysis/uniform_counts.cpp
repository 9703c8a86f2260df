// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/uniform_counts.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/analysis/binomial.h"

namespace gatescope {

namespace {

constexpr double kNormalVariance = 2e4;
const double kMeanOfAbsoluteNormal = std::sqrt(2 / std::numbers::pi);

struct Layer {
    double experts;
    double n;
    double p;  // k / E
    double mean() const { return n * p; }
    double variance() const { return n * p * (1 - p); }
};

/// Calls visit(x, P(X = x)) where the mass is not negligible.
template <typename Visit>
void forEachMass(std::int64_t n, double p, Visit&& visit) {
    const BinomialTails tails(n, p);
    const double mean = static_cast<double>(n) * p;
    const double reach = 10 * std::sqrt(mean * (1 - p)) + 20;
    const auto first = static_cast<std::int64_t>(std::max(0.0, std::floor(mean - reach)));
    const auto last =
        static_cast<std::int64_t>(std::min(static_cast<double>(n), std::ceil(mean + reach)));
    for (std::int64_t x = first; x <= last; ++x) {
        // Of two differences of tails the one between the smaller numbers keeps more digits.
        visit(static_cast<double>(x), static_cast<double>(x) < mean
                                          ? tails.lower(x) - tails.lower(x - 1)
                                          : tails.upper(x) - tails.upper(x + 1));
    }
}

/// E|S| of a walk of M steps of +1 or -1, M from Bin(n, moves): the difference of two counts.
double meanDifference(std::int64_t n, double moves) {
    const double variance = static_cast<double>(n) * moves;
    if (variance > kNormalVariance) {
        return kMeanOfAbsoluteNormal * std::sqrt(variance);
    }
    double sum = 0;
    double step = 0;  // even number of steps that `walk` stands for
    double walk = 0;  // E|S| after `step` steps: 2j C(2j, j) / 4^j, the same after 2j - 1
    forEachMass(n, moves, [&](double steps, double mass) {
        for (; step < steps; step += 2) {
            walk = step > 0 ? walk * (step + 1) / step : 1;
        }
        sum += mass * walk;
    });
    return sum;
}

/// E[max] and E[max^2] of E independent standard normals.
struct NormalMaximum {
    double mean = 0;
    double square = 0;
};

NormalMaximum normalMaximum(double experts) {
    constexpr double kStep = 1.0 / 256;
    NormalMaximum out;
    for (double x = kStep / 2; x < 12; x += kStep) {
        const double tail = 0.5 * std::erfc(x / std::sqrt(2.0));
        const double above = -std::expm1(experts * std::log1p(-tail));  // P(max > x)
        const double below = std::pow(tail, experts);                   // P(max < -x)
        out.mean += (above - below) * kStep;
        out.square += 2 * x * (above + below) * kStep;
    }
    return out;
}

/// The z that the largest of E independent normals exceeds with probability 5 %.
double normalMaximumP95(double experts) {
    const double tail = -std::expm1(std::log(0.95) / experts);
    double low = 0;
    double high = 40;
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (0.5 * std::erfc(middle / std::sqrt(2.0)) > tail ? low : high) = middle;
    }
    return low;
}

/// The counts' sum is fixed, so they scatter around their own mean: E[max(Z_i - mean Z)] = E[max
/// Z_i], while Var(Z_i - mean Z) is smaller by (E-1)/E; matching the counts' true variance
/// therefore stretches the mean of the independent maximum. Far out, in contrast, the counts are as
/// good as independent: the 95 % points need no such factor.
double stretch(double experts) {
    return std::sqrt(experts / (experts - 1));
}

/// Normal counts with the first correction for skew (Cornish and Fisher).
UniformExtremes normalExtremes(const Layer& layer) {
    const double sigma = std::sqrt(layer.variance());
    const double skew = (1 - 2 * layer.p) / sigma / 6;
    const NormalMaximum max = normalMaximum(layer.experts);
    const double z = normalMaximumP95(layer.experts);
    const double unit = sigma / layer.mean();
    const double factor = unit * stretch(layer.experts);
    UniformExtremes out;
    out.largest = {factor * (max.mean + skew * (max.square - 1)), unit * (z + skew * (z * z - 1))};
    out.smallest = {factor * (max.mean - skew * (max.square - 1)), unit * (z - skew * (z * z - 1))};
    out.smallest.p95 = std::min(out.smallest.p95, 1.0);
    return out;
}

UniformExtremes binomialExtremes(const Layer& layer) {
    const BinomialTails tails(static_cast<std::int64_t>(layer.n), layer.p);
    const double mean = layer.mean();
    const double reach = 9 * std::sqrt(layer.variance()) + 20;
    const auto first = static_cast<std::int64_t>(std::max(0.0, std::floor(mean - reach)));
    const auto last = static_cast<std::int64_t>(std::min(layer.n, std::ceil(mean + reach)));
    double largest = static_cast<double>(first);   // E[max], as the sum of P(max > x)
    double smallest = static_cast<double>(first);  // E[min], as the sum of P(min > x)
    std::int64_t largestP95 = last;
    std::int64_t smallestP95 = first;
    for (std::int64_t x = first; x < last; ++x) {
        const double above = tails.upper(x + 1);
        const double maxAbove = -std::expm1(layer.experts * std::log1p(-above));
        const double minAbove = std::pow(above, layer.experts);
        largest += maxAbove;
        smallest += minAbove;
        if (maxAbove <= 0.05) {
            largestP95 = std::min(largestP95, x);
        }
        if (minAbove >= 0.95) {
            smallestP95 = x + 1;
        }
    }
    const double factor = stretch(layer.experts) / mean;
    UniformExtremes out;
    out.largest = {(largest - mean) * factor, static_cast<double>(largestP95) / mean - 1};
    out.smallest = {std::min(1.0, (mean - smallest) * factor),
                    1 - static_cast<double>(smallestP95) / mean};
    return out;
}

Layer layerOf(int experts, int topK, std::int64_t tokens) {
    return {static_cast<double>(experts), static_cast<double>(tokens),
            static_cast<double>(topK) / experts};
}

}  // namespace

UniformCountMeans uniformCountMeans(int experts, int topK, std::int64_t tokens) {
    const Layer layer = layerOf(experts, topK, tokens);
    const double mean = layer.mean();
    double absolute = 0;    // E|q - 1|
    double unevenness = 0;  // E[q ln q - q + 1], never negative: no cancellation
    if (layer.variance() > kNormalVariance) {
        const double square = (1 - layer.p) / mean;  // central moments of q
        const double cube = (1 - layer.p) * (1 - 2 * layer.p) / (mean * mean);
        absolute = kMeanOfAbsoluteNormal * std::sqrt(square);
        unevenness = square / 2 - cube / 6 + 3 * square * square / 12;
    } else {
        forEachMass(tokens, layer.p, [&](double count, double mass) {
            const double q = count / mean;
            absolute += mass * std::abs(q - 1);
            unevenness += mass * (count > 0 ? q * std::log(q) - q + 1 : 1);
        });
    }
    const double e = layer.experts;
    const double moves = std::min(1.0, 2 * layer.p * (e - topK) / (e - 1));
    UniformCountMeans out;
    out.avgVio = absolute;
    out.gini = (e - 1) / (2 * e) * meanDifference(tokens, moves) / mean;
    out.unevenness = unevenness / std::log(e);
    return out;
}

UniformExtremes uniformExtremes(int experts, int topK, std::int64_t tokens) {
    const Layer layer = layerOf(experts, topK, tokens);
    return layer.variance() > kNormalVariance ? normalExtremes(layer) : binomialExtremes(layer);
}

}  // namespace gatescope
