// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/load_map.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kOutermost = 0.02;  // of the cells, beyond a diverging scale

std::size_t sizeOf(int count) {
    return static_cast<std::size_t>(std::max(0, count));
}

/// [rows * E] f(row, index of the cell), NaN in rows with n < atLeast.
template <typename F>
std::vector<double> eachCell(const RoutingCounts& counts, const RoutingShape& shape,
                             std::int64_t atLeast, F f) {
    std::vector<double> out(counts.counts.size(), kNaN);
    const std::size_t experts = sizeOf(shape.experts);
    for (std::size_t row = 0; row < counts.n.size(); ++row) {
        if (counts.n[row] < atLeast) continue;
        for (std::size_t i = row * experts; i < (row + 1) * experts; ++i) out[i] = f(row, i);
    }
    return out;
}

}  // namespace

std::int64_t tokensNeeded(const RoutingShape& shape) {
    if (shape.experts <= 0 || shape.topK <= 0) {
        return 0;
    }
    return static_cast<std::int64_t>(std::ceil(kFewestExpected * shape.experts / shape.topK));
}

RoutingCounts countsOf(const RoutingLoad& load, unsigned phases) {
    RoutingCounts out;
    const std::size_t rows = sizeOf(load.rows());
    out.counts.assign(rows * sizeOf(load.shape.experts), 0);
    out.n.assign(rows, 0);
    for (const PhaseLoad* part : load.parts(phases)) {
        std::transform(out.counts.begin(), out.counts.end(), part->counts.begin(),
                       out.counts.begin(), std::plus<>());
        for (std::size_t row = 0; row < rows; ++row) {
            out.n[row] += row < load.shape.layers.size() ? part->tokens : part->mtpTokens;
        }
    }
    return out;
}

std::vector<double> relativeLoads(const RoutingCounts& counts, const RoutingShape& shape,
                                  std::int64_t atLeast) {
    return eachCell(counts, shape, std::max<std::int64_t>(1, atLeast),
                    [&](std::size_t row, std::size_t index) {
                        const auto choices = static_cast<double>(counts.n[row]) * shape.topK;
                        return static_cast<double>(counts.counts[index]) * shape.experts / choices;
                    });
}

std::vector<double> relativeGateMass(const RoutingLoad& load, unsigned phases) {
    std::vector<double> out(sizeOf(load.rows()) * sizeOf(load.shape.experts), 0.0);
    for (const PhaseLoad* part : load.parts(phases)) {
        std::transform(out.begin(), out.end(), part->gateMass.begin(), out.begin(), std::plus<>());
    }
    const auto experts = static_cast<std::ptrdiff_t>(load.shape.experts);
    for (auto row = out.begin(); row != out.end(); row += experts) {
        const double total = std::accumulate(row, row + experts, 0.0);
        const double scale = total > 0 ? static_cast<double>(experts) / total : kNaN;
        std::for_each(row, row + experts, [scale](double& value) { value *= scale; });
    }
    return out;
}

std::vector<double> zScores(const RoutingCounts& counts, const RoutingShape& shape) {
    const double p = static_cast<double>(shape.topK) / shape.experts;
    return eachCell(counts, shape, tokensNeeded(shape), [&](std::size_t row, std::size_t index) {
        return zScore(counts.counts[index], counts.n[row], p);
    });
}

double zScore(std::int64_t count, std::int64_t n, double p) {
    const double mean = static_cast<double>(n) * p;
    const double sigma = std::sqrt(mean * (1 - p));
    return sigma > 0 ? (static_cast<double>(count) - mean) / sigma : kNaN;
}

double divergingLimit(const std::vector<double>& values, double smallest) {
    std::vector<double> sizes;
    sizes.reserve(values.size());
    for (const double value : values) {
        if (!std::isnan(value)) {
            sizes.push_back(std::abs(value));
        }
    }
    double limit = smallest;
    if (!sizes.empty()) {
        const auto beyond =
            static_cast<std::ptrdiff_t>(kOutermost * static_cast<double>(sizes.size()));
        const auto at = sizes.end() - 1 - beyond;
        std::nth_element(sizes.begin(), at, sizes.end());
        while (limit < *at) {
            limit *= 2;
        }
    }
    return limit;
}

}  // namespace gatescope
