// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/analysis/placement.h"

namespace gatescope {

/// Whose file a placement is written as.
enum class PlacementTarget {
    Eplb,         ///< NumPy array [L, P] of int64, as EPLB returns phy2log
    Sglang,       ///< JSON for --init-expert-location: all layers, dense ones too, and no other key
    TensorRtLlm,  ///< YAML for the MoE load balancer: slots by absolute layer
    Vllm,         ///< JSON list of lists, MoE layers only
    VllmAscend,   ///< JSON for expert_map_path: experts by layer and device
};
/// "eplb", "sglang", "trtllm", "vllm", "vllm-ascend".
std::string_view name(PlacementTarget target);
std::optional<PlacementTarget> placementTargetFromName(std::string_view name);

/// Which layers of the model a placement's rows are. Engines number them differently, and a shift
/// ruins a placement without a word.
struct PlacedLayers {
    std::vector<int> layers;  ///< [L] absolute indices, ascending
    int total = 0;            ///< layers of the main model, dense ones included
};
/// Throws Error unless there is one ascending index within `total` for each of `rows` rows.
void checkLayers(const PlacedLayers& layers, int rows);

/// The bytes of the file. In a dense layer, which SGLang wants to have too, slot p holds expert
/// p mod E. Throws Error as checkPlacement and checkLayers.
std::string placementFile(PlacementTarget target, const Placement& placement,
                          const PlacedLayers& layers);

/// Reads any of these files again, found out from the content: for the moves from the placement in
/// use. Rows are taken by absolute layer where the file has it, else in order. `file` is what
/// messages call the bytes. Throws Error, one sentence naming file, item and cause, also for a
/// placement of other layers than `layers`, of other experts or for other GPUs.
Placement readPlacement(std::string_view bytes, const std::string& file, const PlacedLayers& layers,
                        int experts, int gpus, int nodes);

/// The same from a file. Throws Error, too, for what is no regular file or cannot be read.
Placement readPlacementFile(const std::filesystem::path& path, const PlacedLayers& layers,
                            int experts, int gpus, int nodes);

}  // namespace gatescope
