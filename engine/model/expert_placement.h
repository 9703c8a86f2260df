// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/checkpoint/tensor_schema.h"
#include "engine/checkpoint/weight_source.h"
#include "kernels/device.h"

namespace gatescope {

/// Bytes a tensor takes as stored, block scales included; 0 for one that is not there.
std::uint64_t tensorBytes(const WeightSource& source, const TensorSpec& spec);

/// Bytes of a model's weights.
struct ModelBytes {
    std::uint64_t rest = 0;              ///< all but the routed experts
    std::vector<std::uint64_t> experts;  ///< routed experts, by MoE layer ascending, MTP's last

    std::uint64_t total() const;
    /// Without the routed experts of the last `hostLayers` MoE layers.
    std::uint64_t onDevice(int hostLayers) const;
};
ModelBytes modelBytes(const WeightSource& source);

/// Which MoE layers keep their routed experts in host memory, where the CPU computes them: the last
/// ones, the MTP layer counting as the very last because it can do without speed best.
struct ExpertPlacement {
    int hostLayers = 0;
    Device* host = nullptr;  ///< the CPU device; must outlive the decoder

    bool keepsOnHost(const ModelConfig& config, int layer) const;
};

/// How many MoE layers have to keep their experts on the host. `wanted`: the user's choice, nothing
/// for the smallest number that fits. `reserved`: bytes of device memory to leave for caches and
/// intermediate results. Throws Error naming needed and free memory and what would fit.
int chooseHostLayers(const ModelBytes& bytes, const DeviceMemory& memory, std::uint64_t reserved,
                     std::optional<int> wanted, const std::string& device);

}  // namespace gatescope
