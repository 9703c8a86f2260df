// SPDX-License-Identifier: Apache-2.0
#include "engine/model/latent_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/dtype.h"

namespace gatescope {

namespace {

// A stored row as float32, by the definitions of latent_layout.h.
std::vector<float> expand(const std::vector<std::byte>& row, const LatentLayout& layout) {
    std::vector<float> values(static_cast<std::size_t>(layout.width()));
    if (layout.type == CacheType::F32) {
        std::memcpy(values.data(), row.data(), values.size() * sizeof(float));
        return values;
    }
    const auto bf16At = [&row](std::int64_t offset, std::int64_t i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, row.data() + offset + i * 2, sizeof(bits));
        return bf16ToFloat(bits);
    };
    const auto latentAt = [&](std::int64_t i) {
        if (layout.type == CacheType::BF16) return bf16At(0, i);
        float scale = 0;
        std::memcpy(&scale, row.data() + layout.scaleOffset() + i / LatentLayout::kScaleBlock * 4,
                    sizeof(scale));
        return f8e4m3ToFloat(static_cast<std::uint8_t>(row[static_cast<std::size_t>(i)])) * scale;
    };
    for (std::int64_t i = 0; i < layout.width(); ++i) {
        const auto rope = i - layout.latentDim;
        values[static_cast<std::size_t>(i)] =
            rope < 0 ? latentAt(i) : bf16At(layout.ropeOffset(), rope);
    }
    return values;
}

}  // namespace

LatentCache::LatentCache(Device& device, int layers, const LatentLayout& layout,
                         std::int64_t maxPositions)
    : m_device(&device),
      m_layers(layers),
      m_layout(layout),
      m_maxBlocks((maxPositions + kBlockPositions - 1) / kBlockPositions),
      m_hostTable(static_cast<std::size_t>(layers * m_maxBlocks)),
      m_table(device) {
    m_table.require(m_hostTable.size());
}

void LatentCache::reserve(std::int64_t positions) {
    const auto blocks =
        static_cast<std::size_t>((positions + kBlockPositions - 1) / kBlockPositions);
    const auto before = m_blocks.size();
    while (m_blocks.size() < blocks) {
        DeviceBuffer<std::byte> block(*m_device);
        std::byte* memory = block.require(static_cast<std::size_t>(m_layers * blockBytes()));
        for (std::int64_t layer = 0; layer < m_layers; ++layer)
            m_hostTable[static_cast<std::size_t>(layer * m_maxBlocks) + m_blocks.size()] =
                memory + layer * blockBytes();
        m_blocks.push_back(std::move(block));
    }
    if (m_blocks.size() > before)
        m_device->upload(m_table.data(), m_hostTable.data(),
                         m_hostTable.size() * sizeof(std::byte*));
}

LatentCacheView LatentCache::view(int layer) const {
    return {m_table.data() + layer * m_maxBlocks, kBlockPositions, m_layout};
}

std::int64_t LatentCache::stepCapacity() const {
    const auto blocks = std::bit_ceil(std::max<std::size_t>(1, m_blocks.size()));
    return std::min(static_cast<std::int64_t>(blocks), m_maxBlocks) * kBlockPositions;
}

std::vector<float> LatentCache::read(int layer, std::int64_t position) const {
    std::vector<std::byte> row(static_cast<std::size_t>(m_layout.rowBytes()));
    m_device->download(row.data(), rowAt(layer, position), row.size());
    return expand(row, m_layout);
}

void LatentCache::forEachRun(std::int64_t first, std::int64_t count, const Run& run) const {
    std::size_t offset = 0;
    for (std::int64_t layer = 0; layer < m_layers; ++layer)
        for (std::int64_t at = first; at < first + count;) {
            const auto end = std::min(first + count, (at / kBlockPositions + 1) * kBlockPositions);
            const auto bytes = static_cast<std::size_t>((end - at) * m_layout.rowBytes());
            run(rowAt(layer, at), offset, bytes);
            offset += bytes;
            at = end;
        }
}

std::vector<std::byte> LatentCache::copyRows(std::int64_t first, std::int64_t count) const {
    std::vector<std::byte> rows(static_cast<std::size_t>(count * bytesPerPosition()));
    forEachRun(first, count, [&](std::byte* stored, std::size_t offset, std::size_t bytes) {
        m_device->download(rows.data() + offset, stored, bytes);
    });
    return rows;
}

void LatentCache::writeRows(std::int64_t first, std::span<const std::byte> rows) {
    const auto count = static_cast<std::int64_t>(rows.size()) / bytesPerPosition();
    forEachRun(first, count, [&](std::byte* stored, std::size_t offset, std::size_t bytes) {
        m_device->upload(stored, rows.data() + offset, bytes);
    });
}

}  // namespace gatescope
