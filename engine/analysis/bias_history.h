// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// How balancing moved the correction bias while the model was trained, as a model folder may tell
/// in `bias-history.safetensors`: `step` I32 [S] ascending, `bias` and `load` F32 [S, layers, E]
/// by absolute layer, the MTP layer last, metadata format "bias-history/1".
struct BiasHistory {
    RoutingShape shape;
    std::vector<std::int32_t> steps;  ///< [S] training steps
    std::vector<float> bias;          ///< [S * rows * E], rows as everywhere: MTP last
    std::vector<float> load;          ///< [S * rows * E], share or count of a snapshot's tokens

    int rows() const {
        return static_cast<int>(shape.layers.size()) + (shape.mtpLayer >= 0 ? 1 : 0);
    }
    std::size_t snapshots() const { return steps.size(); }
    std::span<const float> biasAt(std::size_t snapshot, int row) const;
    std::span<const float> loadAt(std::size_t snapshot, int row) const;
    /// max(load) / mean(load) - 1 of one snapshot; NaN when nothing was counted.
    double maxVio(std::size_t snapshot, int row) const;
    /// max_i |last bias - modelBias| of a row, [E]: 0 when the model has the bias the history ends
    /// with.
    double differenceFromModel(int row, std::span<const float> modelBias) const;
};

/// Reads the history of a model folder, or the file itself. Nothing if the folder has none. Throws
/// Error with one sentence if the file is malformed or does not fit the model's shape.
std::optional<BiasHistory> readBiasHistory(const std::filesystem::path& path,
                                           const RoutingShape& shape);

}  // namespace gatescope
