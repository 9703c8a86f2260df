// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/device.h"
#include "kernels/device_buffer.h"

namespace gatescope {

/// The latent KV cache of some layers: per layer and position kv_lora_rank + qk_rope_head_dim
/// values (normalised c_kv, rotated k_pe) in the layout's type. Grows in blocks of kBlockPositions
/// and never moves what it holds.
class LatentCache {
  public:
    static constexpr int kBlockPositions = 256;

    /// No more than `maxPositions` will be asked for.
    LatentCache(Device& device, int layers, const LatentLayout& layout, std::int64_t maxPositions);

    int layers() const { return m_layers; }
    const LatentLayout& layout() const { return m_layout; }
    /// Positions that hold a token.
    std::int64_t length() const { return m_length; }
    /// Positions there is memory for.
    std::int64_t reserved() const {
        return static_cast<std::int64_t>(m_blocks.size()) * kBlockPositions;
    }

    /// Memory for `positions` in all; throws std::bad_alloc, the content then stays as it was.
    void reserve(std::int64_t positions);
    void setLength(std::int64_t length) { m_length = length; }
    LatentCacheView view(int layer) const;
    /// Positions a recorded step may assume: a power of two of blocks, so that it changes rarely.
    std::int64_t stepCapacity() const;

    /// One row as float32 [kv_lora_rank + qk_rope_head_dim], waiting for the device.
    std::vector<float> read(int layer, std::int64_t position) const;

    /// Rows of `count` positions from `first` as they are stored, [layers, count, row bytes].
    std::vector<std::byte> copyRows(std::int64_t first, std::int64_t count) const;
    /// Puts such a copy back.
    void writeRows(std::int64_t first, std::span<const std::byte> rows);

    std::int64_t bytesPerPosition() const { return m_layers * m_layout.rowBytes(); }

  private:
    std::byte* rowAt(std::int64_t layer, std::int64_t position) const {
        return m_hostTable[static_cast<std::size_t>(layer * m_maxBlocks +
                                                    position / kBlockPositions)] +
               position % kBlockPositions * m_layout.rowBytes();
    }
    /// Calls run(where it is stored, its offset in a copy, bytes) for each piece in one block.
    using Run = std::function<void(std::byte*, std::size_t, std::size_t)>;
    void forEachRun(std::int64_t first, std::int64_t count, const Run& run) const;
    std::int64_t blockBytes() const { return kBlockPositions * m_layout.rowBytes(); }

    Device* m_device;
    int m_layers;
    LatentLayout m_layout;
    std::int64_t m_maxBlocks;
    std::int64_t m_length = 0;
    std::vector<DeviceBuffer<std::byte>> m_blocks;  ///< each [layers, kBlockPositions] rows
    std::vector<std::byte*> m_hostTable;            ///< [layers, maxBlocks]
    DeviceBuffer<std::byte*> m_table;               ///< the same in device memory
};

}  // namespace gatescope
