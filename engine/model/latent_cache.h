// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/device.h"
#include "kernels/device_buffer.h"

namespace gatescope {

/// The latent KV cache of some layers: per layer and position kv_lora_rank + qk_rope_head_dim
/// float32 values (normalised c_kv, rotated k_pe). Grows in blocks of kBlockPositions and never
/// moves what it holds.
class LatentCache {
  public:
    static constexpr int kBlockPositions = 256;

    LatentCache(Device& device, int layers, std::int64_t width);

    int layers() const { return static_cast<int>(m_layers.size()); }
    std::int64_t width() const { return m_width; }
    /// Positions that hold a token.
    std::int64_t length() const { return m_length; }
    /// Positions there is memory for.
    std::int64_t reserved() const;

    /// Memory for `positions` in all; throws std::bad_alloc, the content then stays as it was.
    void reserve(std::int64_t positions);
    void setLength(std::int64_t length) { m_length = length; }
    LatentCacheView view(int layer) const;

    std::int64_t bytesPerPosition() const {
        return layers() * m_width * static_cast<std::int64_t>(sizeof(float));
    }

  private:
    struct Layer {
        std::vector<DeviceBuffer<float>> blocks;
        std::vector<float*> pointers;  ///< of the blocks
    };

    Device* m_device;
    std::int64_t m_width;
    std::int64_t m_length = 0;
    std::vector<Layer> m_layers;
};

}  // namespace gatescope
