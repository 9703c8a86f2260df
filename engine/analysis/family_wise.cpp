// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/family_wise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace gatescope {

std::vector<double> holmAdjusted(std::span<const double> pValues) {
    std::vector<double> out(pValues.begin(), pValues.end());
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (!std::isnan(out[i])) order.emplace_back(out[i], i);
    }
    std::sort(order.begin(), order.end());
    double most = 0;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        const auto& [p, index] = order[rank];
        most = std::max(most, std::min(1.0, p * static_cast<double>(order.size() - rank)));
        out[index] = most;
    }
    return out;
}

}  // namespace gatescope
