// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/false_discovery.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace gatescope {

std::vector<double> adjustedPValues(std::span<const double> pValues) {
    std::vector<double> out(pValues.begin(), pValues.end());
    std::vector<std::pair<double, std::size_t>> order;
    order.reserve(out.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (!std::isnan(out[i])) {
            order.emplace_back(out[i], i);
        }
    }
    std::sort(order.begin(), order.end());
    const auto tests = static_cast<double>(order.size());
    double least = 1;
    for (std::size_t rank = order.size(); rank > 0; --rank) {
        const auto& [p, index] = order[rank - 1];
        least = std::min(least, p * tests / static_cast<double>(rank));
        out[index] = least;
    }
    return out;
}

}  // namespace gatescope
