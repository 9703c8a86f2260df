// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint/model_config.h"
#include "kernels/device.h"

namespace gatescope {

/// One stored tensor: where its bytes are (mapped, any alignment) and what its header says.
struct TensorView {
    std::string name;
    std::string dtype;  ///< as written in the file: "BF16", "F32", "F16", "F8_E4M3", "I32", ...
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;
    std::string file;  ///< for messages: the file's name inside the model folder

    std::int64_t elements() const;
};

/// Where a model's weights come from: a checkpoint folder, or random weights of a named shape.
class WeightSource {
  public:
    virtual ~WeightSource() = default;
    virtual const ModelConfig& config() const = 0;
    /// nullptr if there is no such tensor.
    virtual const TensorView* find(std::string_view name) const = 0;
    /// How a matrix is to be made; only sources of random weights say so, and they store none.
    virtual std::optional<RandomFill> randomFill(const std::string& /*name*/, std::int64_t /*rows*/,
                                                 std::int64_t /*cols*/) const {
        return std::nullopt;
    }
    /// For messages when a tensor is missing: "model.safetensors" or the index's name.
    virtual std::string describe() const = 0;
};

}  // namespace gatescope
