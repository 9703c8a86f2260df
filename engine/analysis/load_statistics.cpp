// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/load_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/error.h"

namespace gatescope {

namespace {

std::int64_t checkedSum(std::span<const std::int64_t> counts) {
    std::int64_t sum = 0;
    for (const std::int64_t count : counts) {
        if (count < 0 || __builtin_add_overflow(sum, count, &sum)) {
            throw Error(fmt::format("load counts: {} is no number of choices", count));
        }
    }
    return sum;
}

LoadStatistics undefined(std::int64_t choices) {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    return {choices, 0, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN};
}

}  // namespace

LoadStatistics loadStatistics(std::span<const std::int64_t> counts) {
    LoadStatistics out = undefined(checkedSum(counts));
    if (out.choices == 0) {
        return out;
    }
    std::vector<std::int64_t> sorted(counts.begin(), counts.end());
    std::sort(sorted.begin(), sorted.end());  // sums of the ascending counts also round least
    const auto experts = static_cast<double>(sorted.size());
    const auto total = static_cast<double>(out.choices);
    const double mean = total / experts;
    double absolute = 0;
    double squares = 0;
    double ranked = 0;  // sum over j of (2 j - E - 1) c_(j): no large terms to cancel
    double entropy = 0;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        const auto count = static_cast<double>(sorted[i]);
        const double deviation = count - mean;
        absolute += std::abs(deviation);
        squares += deviation * deviation;
        ranked += (2.0 * static_cast<double>(i) + 1 - experts) * count;
        if (sorted[i] > 0) {
            ++out.distinct;
            entropy -= count / total * std::log(count / total);
        }
    }
    out.maxVio = static_cast<double>(sorted.back()) / mean - 1;
    out.minVio = 1 - static_cast<double>(sorted.front()) / mean;
    out.avgVio = absolute / total;
    out.cv = std::sqrt(squares / experts) / mean;
    out.gini = ranked / (experts * total);
    if (sorted.size() > 1) {
        out.entropy = entropy / std::log(experts);
    }
    out.effectiveExperts = std::exp(entropy);
    return out;
}

}  // namespace gatescope
