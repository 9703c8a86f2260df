// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <random>

#include "synthetic_routing.h"
#include "views/experts_view.h"

namespace gatescope {

/// Made-up traffic through a model: each token has a topic, and topics favour their own experts.
inline std::vector<RoutedToken> topicTraffic(const RoutingShape& shape, int tokens,
                                             unsigned seed = 7) {
    std::mt19937 random(seed);
    const auto draw = [&random](int below) {
        return static_cast<int>(random() % static_cast<unsigned>(below));
    };
    std::vector<RoutedToken> out;
    for (int t = 0; t < tokens; ++t) {
        const int topic = (t / 40) % 4;
        RoutedToken token = mainToken(shape, 0, t < tokens / 3 ? Phase::Prefill : Phase::Decode, t);
        token.tokenId = topic * 12 + draw(12);
        auto& experts = token.routing.experts;
        for (std::size_t row = 0; row < shape.layers.size(); ++row) {
            const auto first = experts.begin() + static_cast<std::ptrdiff_t>(row) * shape.topK;
            for (auto slot = first; slot != first + shape.topK;) {
                const bool own = draw(3) > 0;
                const int expert = own ? (topic * 5 + static_cast<int>(row) + draw(7)) : draw(256);
                const auto id = static_cast<std::uint16_t>(expert % shape.experts);
                if (std::find(first, slot, id) == slot) {
                    *slot++ = id;
                }
            }
            token.routing.biasDecided[row] = static_cast<std::uint32_t>(draw(8) == 0);
        }
        out.push_back(std::move(token));
    }
    return out;
}

/// What the application would show for (layer row, expert); expert -1: the layer alone.
inline ExpertsValue expertsValue(const RoutingShape& shape, int tokens, int row, int expert) {
    const std::vector<RoutedToken> traffic = topicTraffic(shape, tokens);
    CoactivationCounter pairs(shape);
    TransitionCounter transitions(shape);
    ExpertReads reads(shape);
    std::vector<const RoutedToken*> all;
    for (const RoutedToken& token : traffic) {
        pairs.add(token, false);
        transitions.add(token, false);
        StepTrace step;
        step.tokens.push_back(token);
        reads.add(step);
        all.push_back(&token);
    }
    ExpertsValue value;
    value.shape = shape;
    value.bytesPerExpert = 3 * 96 * 64 * 4;
    const bool hasNext = row < transitions.rows();
    const TransitionValue next = hasNext ? transitions.value(row) : TransitionValue();
    value.layer = layerProfile(pairs.value(row), hasNext ? &next : nullptr, reads.value(row));
    if (hasNext) {
        value.layer.next.shifted = transitions.recentBaseline(row);
    }
    if (expert >= 0) {
        value.expert = expertProfile(shape, all, row, expert);
    }
    return value;
}

}  // namespace gatescope
