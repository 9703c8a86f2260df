// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

inline RoutingShape relationShape(int layers, int experts, int topK, bool mtp = false) {
    RoutingShape shape;
    for (int layer = 0; layer < layers; ++layer) {
        shape.layers.push_back(2 * layer + 1);
    }
    shape.totalLayers = 2 * layers + 1;
    shape.mtpLayer = mtp ? shape.totalLayers : -1;
    shape.experts = experts;
    shape.topK = topK;
    return shape;
}

/// A token with these choices, row by row.
inline RoutedToken routedToken(std::vector<std::uint16_t> experts, int topK,
                               Phase phase = Phase::Decode, bool special = false) {
    RoutedToken token;
    token.phase = phase;
    token.special = special;
    const std::size_t rows = experts.size() / static_cast<std::size_t>(topK);
    token.routing.margins.assign(rows, 0.5F);
    token.routing.biasDecided.assign(rows, 0);
    token.routing.weights.assign(experts.size(), 0.5F);
    token.routing.experts = std::move(experts);
    return token;
}

/// k of E without replacement, every expert alike, the rows independent of each other.
inline std::vector<std::uint16_t> uniformChoices(std::mt19937& random, int rows, int experts,
                                                 int topK) {
    std::vector<std::uint16_t> all(static_cast<std::size_t>(experts));
    std::iota(all.begin(), all.end(), std::uint16_t{0});
    std::vector<std::uint16_t> out;
    for (int row = 0; row < rows; ++row) {
        std::shuffle(all.begin(), all.end(), random);
        out.insert(out.end(), all.begin(), all.begin() + topK);
    }
    return out;
}

/// As uniformChoices, but the lower an expert's id the more often it is chosen.
inline std::vector<std::uint16_t> unevenChoices(std::mt19937& random, int rows, int experts,
                                                int topK) {
    std::uniform_real_distribution<double> unit(0, 1);
    std::vector<std::uint16_t> out;
    for (int row = 0; row < rows; ++row) {
        std::vector<std::uint16_t> chosen;
        while (static_cast<int>(chosen.size()) < topK) {
            const double draw = unit(random);
            const auto expert = static_cast<std::uint16_t>(draw * draw * experts);
            if (std::find(chosen.begin(), chosen.end(), expert) == chosen.end()) {
                chosen.push_back(expert);
            }
        }
        out.insert(out.end(), chosen.begin(), chosen.end());
    }
    return out;
}

}  // namespace gatescope
