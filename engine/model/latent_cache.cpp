// SPDX-License-Identifier: Apache-2.0
#include "engine/model/latent_cache.h"

namespace gatescope {

LatentCache::LatentCache(Device& device, int layers, std::int64_t width)
    : m_device(&device), m_width(width), m_layers(static_cast<std::size_t>(layers)) {}

std::int64_t LatentCache::reserved() const {
    // The last layer grows last, so what it has all layers have.
    if (m_layers.empty()) return 0;
    return static_cast<std::int64_t>(m_layers.back().blocks.size()) * kBlockPositions;
}

void LatentCache::reserve(std::int64_t positions) {
    const auto blocks =
        static_cast<std::size_t>((positions + kBlockPositions - 1) / kBlockPositions);
    for (auto& layer : m_layers) {
        while (layer.blocks.size() < blocks) {
            DeviceBuffer<float> block(*m_device);
            block.require(static_cast<std::size_t>(kBlockPositions * m_width));
            layer.pointers.push_back(block.data());
            layer.blocks.push_back(std::move(block));
        }
    }
}

LatentCacheView LatentCache::view(int layer) const {
    return {m_layers[static_cast<std::size_t>(layer)].pointers.data(), kBlockPositions, m_width};
}

}  // namespace gatescope
