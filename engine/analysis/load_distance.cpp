// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/load_distance.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double sumOf(std::span<const std::int64_t> counts) {
    return static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
}

/// Ranks from 1; equal counts share the mean of their ranks.
std::vector<double> midRanks(std::span<const std::int64_t> counts) {
    std::vector<std::size_t> order(counts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t i, std::size_t j) { return counts[i] < counts[j]; });
    std::vector<double> ranks(counts.size());
    for (std::size_t first = 0; first < order.size();) {
        std::size_t end = first;
        while (end < order.size() && counts[order[end]] == counts[order[first]]) ++end;
        for (std::size_t i = first; i < end; ++i) {
            ranks[order[i]] = (static_cast<double>(first) + static_cast<double>(end) + 1) / 2;
        }
        first = end;
    }
    return ranks;
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
    const double mean = (static_cast<double>(x.size()) + 1) / 2;  // of any ranks
    double xy = 0;
    double xx = 0;
    double yy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xy += (x[i] - mean) * (y[i] - mean);
        xx += (x[i] - mean) * (x[i] - mean);
        yy += (y[i] - mean) * (y[i] - mean);
    }
    return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : kNaN;
}

}  // namespace

LoadDistance loadDistance(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
    assert(a.size() == b.size());
    const double totalA = sumOf(a);
    const double totalB = sumOf(b);
    if (!(totalA > 0) || !(totalB > 0)) return {kNaN, kNaN, kNaN};
    double moved = 0;
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double p = static_cast<double>(a[i]) / totalA;
        const double q = static_cast<double>(b[i]) / totalB;
        moved += std::abs(p - q) / 2;
        ab += p * q;
        aa += p * p;
        bb += q * q;
    }
    return {moved, ab / std::sqrt(aa * bb), correlation(midRanks(a), midRanks(b))};
}

}  // namespace gatescope
