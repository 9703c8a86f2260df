// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/eplb.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace gatescope {

namespace {

using Indices = std::vector<std::size_t>;

/// Puts items into bins that all take the same number of them; returns the items of bin 0 in order
/// of arrival, then those of bin 1 and so on, [items].
Indices packed(const std::vector<float>& weights, std::size_t bins) {
    Indices order(weights.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t places = weights.size() / bins;
    if (places == 1) return order;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
    std::vector<float> load(bins);
    Indices taken(bins);
    Indices out(weights.size());
    for (const std::size_t item : order) {
        std::size_t bin = bins;
        for (std::size_t candidate = 0; candidate < bins; ++candidate) {
            if (taken[candidate] == places) continue;
            if (bin == bins || load[candidate] < load[bin]) bin = candidate;
        }
        out[bin * places + taken[bin]++] = item;
        load[bin] += weights[item];
    }
    return out;
}

/// One node: its experts copied until all its slots are filled and packed onto its GPUs. [slots]
/// indices into `loads`.
Indices filledNode(const std::vector<float>& loads, std::size_t slots, std::size_t gpus) {
    Indices expertOf(loads.size());
    std::iota(expertOf.begin(), expertOf.end(), std::size_t{0});
    std::vector<float> share = loads;  // load / copies
    Indices copies(loads.size(), 1);
    while (expertOf.size() < slots) {
        const auto most =
            static_cast<std::size_t>(std::max_element(share.begin(), share.end()) - share.begin());
        expertOf.push_back(most);
        share[most] = loads[most] / static_cast<float>(++copies[most]);
    }
    std::vector<float> weights;
    weights.reserve(slots);
    for (const std::size_t expert : expertOf) weights.push_back(share[expert]);
    Indices out = packed(weights, gpus);
    for (std::size_t& slot : out) slot = expertOf[slot];
    return out;
}

void placeLayer(std::span<const double> loads, const PlacementShape& shape,
                std::span<std::int32_t> slots) {
    const auto groups = static_cast<std::size_t>(shape.groups);
    const auto nodes = static_cast<std::size_t>(shape.nodes);
    const std::size_t groupSize = loads.size() / groups;
    std::vector<float> groupLoads(groups);
    for (std::size_t e = 0; e < loads.size(); ++e) {
        groupLoads[e / groupSize] += static_cast<float>(loads[e]);
    }
    const Indices groupOrder = packed(groupLoads, nodes);
    const std::size_t nodeSlots = slots.size() / nodes;
    for (std::size_t node = 0; node < nodes; ++node) {
        Indices experts;
        std::vector<float> nodeLoads;
        for (std::size_t g = node * groups / nodes; g < (node + 1) * groups / nodes; ++g) {
            for (std::size_t i = 0; i < groupSize; ++i) {
                experts.push_back(groupOrder[g] * groupSize + i);
                nodeLoads.push_back(static_cast<float>(loads[experts.back()]));
            }
        }
        const Indices filled =
            filledNode(nodeLoads, nodeSlots, static_cast<std::size_t>(shape.gpus) / nodes);
        for (std::size_t slot = 0; slot < nodeSlots; ++slot) {
            slots[node * nodeSlots + slot] = static_cast<std::int32_t>(experts[filled[slot]]);
        }
    }
}

}  // namespace

Placement eplb(const ExpertLoads& loads, const PlacementShape& shape) {
    if (shape.nodes < 1 || shape.groups % shape.nodes != 0) return eplbGlobal(loads, shape);
    checkLoads(loads);
    checkShape(shape, loads.experts);
    Placement out{loads.layers, loads.experts, shape.slots, shape.gpus, shape.nodes, {}};
    out.physicalToLogical.resize(static_cast<std::size_t>(out.layers) *
                                 static_cast<std::size_t>(out.slots));
    for (int layer = 0; layer < out.layers; ++layer) {
        placeLayer(loads.row(layer), shape, out.row(layer));
    }
    return out;
}

Placement eplbGlobal(const ExpertLoads& loads, const PlacementShape& shape) {
    checkLoads(loads);
    checkShape(shape, loads.experts);
    Placement out = eplb(loads, {shape.slots, shape.gpus, 1, 1});
    out.nodes = shape.nodes;
    return out;
}

}  // namespace gatescope
