// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/placement.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace gatescope {

namespace {

std::size_t product(int a, int b) {
    return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
}

std::int64_t bytesOf(std::int64_t copies, std::int64_t bytesPerExpert) {
    std::int64_t bytes = 0;
    if (bytesPerExpert < 0 || __builtin_mul_overflow(copies, bytesPerExpert, &bytes)) {
        throw Error(fmt::format("placement: {} copies of {} bytes are no number of bytes", copies,
                                bytesPerExpert));
    }
    return bytes;
}

void checkLayout(int experts, int slots, int gpus, int nodes) {
    if (experts < 1 || slots < 1 || gpus < 1 || nodes < 1) {
        throw Error(
            fmt::format("placement: {} experts in {} slots on {} GPUs of {} nodes are no layout",
                        experts, slots, gpus, nodes));
    }
    if (slots % gpus != 0) {
        throw Error(
            fmt::format("placement: {} slots cannot be shared evenly by {} GPUs", slots, gpus));
    }
    if (gpus % nodes != 0) {
        throw Error(
            fmt::format("placement: {} GPUs cannot be shared evenly by {} nodes", gpus, nodes));
    }
    if (slots < experts) {
        throw Error(fmt::format("placement: {} slots are too few for {} experts", slots, experts));
    }
}

/// [E] which experts one GPU holds in one layer.
void markHeld(std::span<const std::int32_t> slots, std::vector<char>& held) {
    std::fill(held.begin(), held.end(), 0);
    for (const std::int32_t expert : slots) held[static_cast<std::size_t>(expert)] = 1;
}

}  // namespace

std::span<const double> ExpertLoads::row(int layer) const {
    return std::span(values).subspan(product(layer, experts), static_cast<std::size_t>(experts));
}

void checkLoads(const ExpertLoads& loads) {
    if (loads.layers < 1 || loads.experts < 1 ||
        loads.values.size() != product(loads.layers, loads.experts)) {
        throw Error(fmt::format("expert loads: {} values are not {} layers of {} experts",
                                loads.values.size(), loads.layers, loads.experts));
    }
    for (std::size_t i = 0; i < loads.values.size(); ++i) {
        const double load = loads.values[i];
        if (!(load >= 0) || !std::isfinite(static_cast<float>(load))) {
            const auto experts = static_cast<std::size_t>(loads.experts);
            throw Error(fmt::format("expert loads: layer {}: {} is no load of expert {}",
                                    i / experts, load, i % experts));
        }
    }
}

void checkShape(const PlacementShape& shape, int experts) {
    checkLayout(experts, shape.slots, shape.gpus, shape.nodes);
    if (shape.groups < 1 || experts % shape.groups != 0) {
        throw Error(fmt::format("placement: {} experts are not {} groups of one size", experts,
                                shape.groups));
    }
}

std::span<const std::int32_t> Placement::row(int layer) const {
    return std::span(physicalToLogical)
        .subspan(product(layer, slots), static_cast<std::size_t>(slots));
}

std::span<std::int32_t> Placement::row(int layer) {
    return std::span(physicalToLogical)
        .subspan(product(layer, slots), static_cast<std::size_t>(slots));
}

std::span<const std::int32_t> Placement::gpuRow(int layer, int gpu) const {
    return row(layer).subspan(product(gpu, slotsPerGpu()), static_cast<std::size_t>(slotsPerGpu()));
}

void checkPlacement(const Placement& placement) {
    checkLayout(placement.experts, placement.slots, placement.gpus, placement.nodes);
    if (placement.layers < 1 ||
        placement.physicalToLogical.size() != product(placement.layers, placement.slots)) {
        throw Error(fmt::format("placement: {} entries are not {} layers of {} slots",
                                placement.physicalToLogical.size(), placement.layers,
                                placement.slots));
    }
    std::vector<char> held(static_cast<std::size_t>(placement.experts));
    for (int layer = 0; layer < placement.layers; ++layer) {
        const auto row = placement.row(layer);
        for (std::size_t slot = 0; slot < row.size(); ++slot) {
            if (row[slot] < 0 || row[slot] >= placement.experts) {
                throw Error(fmt::format("placement: layer {}: slot {} holds {}, which is no expert",
                                        layer, slot, row[slot]));
            }
        }
        markHeld(row, held);
        const auto missing = std::find(held.begin(), held.end(), 0);
        if (missing != held.end()) {
            throw Error(fmt::format("placement: layer {}: expert {} has no slot", layer,
                                    missing - held.begin()));
        }
    }
}

std::vector<int> replicaCounts(const Placement& placement) {
    std::vector<int> counts(product(placement.layers, placement.experts));
    for (int layer = 0; layer < placement.layers; ++layer) {
        const std::size_t first = product(layer, placement.experts);
        for (const std::int32_t expert : placement.row(layer)) {
            ++counts[first + static_cast<std::size_t>(expert)];
        }
    }
    return counts;
}

std::vector<std::vector<std::int32_t>> logicalToPhysical(const Placement& placement) {
    std::vector<std::vector<std::int32_t>> slots(product(placement.layers, placement.experts));
    for (int layer = 0; layer < placement.layers; ++layer) {
        const std::size_t first = product(layer, placement.experts);
        const auto row = placement.row(layer);
        for (std::size_t slot = 0; slot < row.size(); ++slot) {
            slots[first + static_cast<std::size_t>(row[slot])].push_back(
                static_cast<std::int32_t>(slot));
        }
    }
    return slots;
}

std::int64_t wastedSlots(const Placement& placement) {
    std::int64_t wasted = 0;
    std::vector<char> held(static_cast<std::size_t>(placement.experts));
    for (int layer = 0; layer < placement.layers; ++layer) {
        for (int gpu = 0; gpu < placement.gpus; ++gpu) {
            markHeld(placement.gpuRow(layer, gpu), held);
            wasted += placement.slotsPerGpu() - std::count(held.begin(), held.end(), 1);
        }
    }
    return wasted;
}

bool keepsGroupsOnNodes(const Placement& placement, int groups) {
    if (groups < 1 || placement.experts % groups != 0) {
        throw Error(fmt::format("placement: {} experts are not {} groups of one size",
                                placement.experts, groups));
    }
    const int groupSize = placement.experts / groups;
    const int nodeSlots = placement.slots / placement.nodes;
    std::vector<int> nodeOf(static_cast<std::size_t>(groups));
    for (int layer = 0; layer < placement.layers; ++layer) {
        std::fill(nodeOf.begin(), nodeOf.end(), -1);
        const auto row = placement.row(layer);
        for (int slot = 0; slot < placement.slots; ++slot) {
            int& node =
                nodeOf[static_cast<std::size_t>(row[static_cast<std::size_t>(slot)] / groupSize)];
            if (node >= 0 && node != slot / nodeSlots) return false;
            node = slot / nodeSlots;
        }
    }
    return true;
}

std::int64_t movedSlots(const Placement& before, const Placement& after) {
    if (before.layers != after.layers || before.experts != after.experts ||
        before.gpus != after.gpus) {
        throw Error(fmt::format(
            "placement: {} layers of {} experts on {} GPUs cannot become {} of {} on {}",
            before.layers, before.experts, before.gpus, after.layers, after.experts, after.gpus));
    }
    std::int64_t moved = 0;
    std::vector<char> held(static_cast<std::size_t>(before.experts));
    for (int layer = 0; layer < after.layers; ++layer) {
        for (int gpu = 0; gpu < after.gpus; ++gpu) {
            markHeld(before.gpuRow(layer, gpu), held);
            for (const std::int32_t expert : after.gpuRow(layer, gpu)) {
                char& there = held[static_cast<std::size_t>(expert)];
                moved += there == 0 ? 1 : 0;
                there = 1;
            }
        }
    }
    return moved;
}

std::int64_t migrationBytes(const Placement& before, const Placement& after,
                            std::int64_t bytesPerExpert) {
    return bytesOf(movedSlots(before, after), bytesPerExpert);
}

std::int64_t gpuMemoryBytes(const Placement& placement, std::int64_t bytesPerExpert) {
    return bytesOf(std::int64_t{placement.layers} * placement.slotsPerGpu(), bytesPerExpert);
}

}  // namespace gatescope
