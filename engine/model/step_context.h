// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/device.h"
#include "kernels/device_buffer.h"

namespace gatescope {

/// The two algebraically equal forms of latent attention.
enum class AttentionPath : std::uint8_t {
    Expanded,  ///< keys and values expanded per head: cheaper for many queries (prefill)
    Absorbed,  ///< works on the latent rows: no expansion of the context (decode)
};

/// Scratch memory of a forward pass, shared by all layers; grows to the largest pass seen.
struct Workspace {
    explicit Workspace(Device& device)
        : normed(device),
          queryLatent(device),
          query(device),
          keyValue(device),
          attention(device),
          inner(device),
          block(device),
          routerLogits(device),
          hostExperts(device) {}

    DeviceBuffer<float> normed;        ///< [T, h] input of the running block
    DeviceBuffer<float> queryLatent;   ///< [T, q_lora_rank]
    DeviceBuffer<float> query;         ///< [T, H * (dn + dr)]
    DeviceBuffer<float> keyValue;      ///< [T, kv_lora_rank + dr]
    DeviceBuffer<float> attention;     ///< [T, H * dv]
    DeviceBuffer<float> inner;         ///< [T, widest MLP] inner activations of an MLP
    DeviceBuffer<float> block;         ///< [T, h] output of the running block
    DeviceBuffer<float> routerLogits;  ///< [T, E]
    DeviceBuffer<float> hostExperts;   ///< [T, h] what experts kept on the host computed
};

/// What every block of one forward pass needs.
struct StepContext {
    Device& device;
    Workspace& work;
    AttentionPath path;
    StepPosition position;
    std::int64_t count;   ///< T
    const float* cosSin;  ///< [T, dr] in device memory
};

/// A [T, cols] matrix in a workspace buffer.
inline Matrix matrix(DeviceBuffer<float>& buffer, std::int64_t rows, std::int64_t cols) {
    return {buffer.require(static_cast<std::size_t>(rows * cols)), rows, cols};
}

}  // namespace gatescope
