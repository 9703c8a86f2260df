// SPDX-License-Identifier: Apache-2.0
#include "engine/model/step_routing.h"

namespace gatescope {

StepRouting::StepRouting(Device& device, int experts)
    : m_device(&device), m_experts(experts), m_memory(device) {}

std::size_t StepRouting::bytes() const {
    return rows() * static_cast<std::size_t>(m_experts + 2 * m_topK) * sizeof(float);
}

StepRouting::Parts StepRouting::parts(std::byte* memory) const {
    auto* scores = reinterpret_cast<float*>(memory);
    auto* ids =
        reinterpret_cast<std::int32_t*>(scores + rows() * static_cast<std::size_t>(m_experts));
    auto* weights = reinterpret_cast<float*>(ids + rows() * static_cast<std::size_t>(m_topK));
    return {scores, ids, weights};
}

void StepRouting::begin(std::span<const int> layers, std::int64_t tokens,
                        const RunRouting& routing) {
    m_slots.clear();
    for (const int layer : layers) m_slots.push_back({layer, routing.topK(layer)});
    m_topK = routing.topK();
    m_tokens = tokens;
    m_memory.require(bytes());
}

Routing StepRouting::slot(int i) const {
    const auto all = parts(m_memory.data());
    const auto row = i * m_tokens;
    return {.scores = all.scores + row * m_experts,
            .ids = all.ids + row * m_topK,
            .weights = all.weights + row * m_topK,
            .tokens = m_tokens,
            .topK = m_slots[static_cast<std::size_t>(i)].topK};
}

void StepRouting::report(ForwardObserver& observer) {
    m_host.resize(bytes());
    m_device->download(m_host.data(), m_memory.data(), m_host.size());
    const auto all = parts(m_host.data());
    for (std::size_t i = 0; i < m_slots.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i) * m_tokens;
        observer.onRouting({.layer = m_slots[i].layer,
                            .tokens = m_tokens,
                            .experts = m_experts,
                            .topK = m_slots[i].topK,
                            .scores = all.scores + row * m_experts,
                            .ids = all.ids + row * m_topK,
                            .weights = all.weights + row * m_topK});
    }
}

}  // namespace gatescope
