// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/routing_check.h"

#include <span>

#include "engine/error.h"

namespace gatescope {

namespace {

void checkRow(const RoutingShape& shape, std::span<const std::uint16_t> slots) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (slots[i] == kNoExpert) {
            continue;
        }
        if (slots[i] >= shape.experts) {
            throw Error(fmt::format("routing: expert {} in a model with {} experts", slots[i],
                                    shape.experts));
        }
        for (std::size_t before = 0; before < i; ++before) {
            if (slots[before] == slots[i]) {
                throw Error(fmt::format("routing: expert {} chosen twice by one token in one layer",
                                        slots[i]));
            }
        }
    }
}

}  // namespace

void checkPairShape(const RoutingShape& shape) {
    if (shape.layers.empty() && shape.mtpLayer < 0) {
        return;
    }
    if (shape.experts < 1 || shape.experts > kMaxPairExperts) {
        throw Error(
            fmt::format("routing: tables for {} experts a layer, where 1 to {} are possible",
                        shape.experts, kMaxPairExperts));
    }
    if (shape.topK < 1 || shape.topK > shape.experts) {
        throw Error(fmt::format("routing: {} choices of {} experts", shape.topK, shape.experts));
    }
}

void checkChoices(const RoutingShape& shape, const TokenRouting& routing, std::size_t rows) {
    const auto topK = static_cast<std::size_t>(shape.topK);
    const std::size_t slots = rows * topK;
    if (routing.margins.size() != rows || routing.experts.size() != slots ||
        routing.weights.size() != slots) {
        throw Error(fmt::format(
            "routing: {} rows with {} choices do not fit a model with {} rows of {} choices",
            routing.margins.size(), routing.experts.size(), rows, shape.topK));
    }
    const std::span<const std::uint16_t> experts(routing.experts);
    for (std::size_t row = 0; row < rows; ++row) {
        checkRow(shape, experts.subspan(row * topK, topK));
    }
}

bool isOrdinaryWork(const RoutedToken& token, bool mtp) {
    if (token.special) {
        return false;
    }
    return mtp ? token.phase == Phase::Draft
               : token.phase == Phase::Prefill || token.phase == Phase::Decode;
}

}  // namespace gatescope
