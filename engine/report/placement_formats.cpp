// SPDX-License-Identifier: Apache-2.0
#include "engine/report/placement_formats.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "engine/error.h"
#include "engine/report/npy.h"

namespace gatescope {

namespace {

constexpr std::array<std::string_view, 5> kNames{"eplb", "sglang", "trtllm", "vllm", "vllm-ascend"};

std::string listOf(std::span<const std::int32_t> experts) {
    return fmt::format("[{}]", fmt::join(experts, ", "));
}

/// What stands in a layer that has no experts: every expert once, as the reader demands.
std::vector<std::int32_t> denseRow(const Placement& placement) {
    std::vector<std::int32_t> row;
    for (int slot = 0; slot < placement.slots; ++slot) {
        row.push_back(slot % placement.experts);
    }
    return row;
}

std::string sglang(const Placement& placement, const PlacedLayers& layers) {
    const std::string dense = listOf(denseRow(placement));
    std::vector<std::string> rows(static_cast<std::size_t>(layers.total), dense);
    for (int row = 0; row < placement.layers; ++row) {
        const int layer = layers.layers[static_cast<std::size_t>(row)];
        rows[static_cast<std::size_t>(layer)] = listOf(placement.row(row));
    }
    return fmt::format("{{\"physical_to_logical_map\": [\n  {}\n]}}\n", fmt::join(rows, ",\n  "));
}

std::string tensorRt(const Placement& placement, const PlacedLayers& layers) {
    std::string text = fmt::format(
        "num_slots: {}\nlayer_updates_per_iter: 0\n"
        "initial_global_assignments:\n",
        placement.slots);
    for (int row = 0; row < placement.layers; ++row) {
        text += fmt::format("  {}: {}\n", layers.layers[static_cast<std::size_t>(row)],
                            listOf(placement.row(row)));
    }
    return text;
}

std::string vllm(const Placement& placement) {
    std::vector<std::string> rows;
    for (int row = 0; row < placement.layers; ++row) {
        rows.push_back(listOf(placement.row(row)));
    }
    return fmt::format("[\n  {}\n]\n", fmt::join(rows, ",\n  "));
}

std::string ascendLayer(const Placement& placement, int row) {
    std::vector<std::string> devices;
    for (int gpu = 0; gpu < placement.gpus; ++gpu) {
        devices.push_back(fmt::format("{{\"device_id\": {}, \"device_expert\": {}}}", gpu,
                                      listOf(placement.gpuRow(row, gpu))));
    }
    return fmt::format(
        "{{\"layer_id\": {}, \"device_count\": {}, \"device_list\": [\n    {}\n  ]}}", row,
        placement.gpus, fmt::join(devices, ",\n    "));
}

std::string ascend(const Placement& placement) {
    std::vector<std::string> rows;
    for (int row = 0; row < placement.layers; ++row) {
        rows.push_back(ascendLayer(placement, row));
    }
    return fmt::format("{{\"moe_layer_count\": {}, \"layer_list\": [\n  {}\n]}}\n",
                       placement.layers, fmt::join(rows, ",\n  "));
}

}  // namespace

std::string_view name(PlacementTarget target) {
    return kNames.at(static_cast<std::size_t>(target));
}

std::optional<PlacementTarget> placementTargetFromName(std::string_view name) {
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) return {};
    return static_cast<PlacementTarget>(found - kNames.begin());
}

void checkLayers(const PlacedLayers& layers, int rows) {
    if (std::ssize(layers.layers) != rows)
        throw Error(
            fmt::format("{} layers are placed, but {} are named", rows, layers.layers.size()));
    int before = -1;
    for (const int layer : layers.layers) {
        if (layer <= before || layer >= layers.total)
            throw Error(fmt::format("layer {} cannot come after layer {} of {}", layer, before,
                                    layers.total));
        before = layer;
    }
}

std::string placementFile(PlacementTarget target, const Placement& placement,
                          const PlacedLayers& layers) {
    checkPlacement(placement);
    checkLayers(layers, placement.layers);
    switch (target) {
        case PlacementTarget::Eplb:
            return npyBytes(placement.physicalToLogical, static_cast<std::size_t>(placement.layers),
                            static_cast<std::size_t>(placement.slots));
        case PlacementTarget::Sglang:
            return sglang(placement, layers);
        case PlacementTarget::TensorRtLlm:
            return tensorRt(placement, layers);
        case PlacementTarget::Vllm:
            return vllm(placement);
        case PlacementTarget::VllmAscend:
            return ascend(placement);
    }
    return {};
}

}  // namespace gatescope
