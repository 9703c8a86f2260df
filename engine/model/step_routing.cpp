// SPDX-License-Identifier: Apache-2.0
#include "engine/model/step_routing.h"

namespace gatescope {

StepRouting::StepRouting(Device& device, int experts, int topK)
    : m_device(&device),
      m_experts(experts),
      m_topK(topK),
      m_scores(device),
      m_ids(device),
      m_weights(device) {}

void StepRouting::begin(int layers, std::int64_t tokens) {
    m_tokens = tokens;
    const auto rows = static_cast<std::size_t>(layers * tokens);
    m_scores.require(rows * static_cast<std::size_t>(m_experts));
    m_ids.require(rows * static_cast<std::size_t>(m_topK));
    m_weights.require(rows * static_cast<std::size_t>(m_topK));
}

Routing StepRouting::slot(int i) const {
    const auto rows = i * m_tokens;
    return {.scores = m_scores.data() + rows * m_experts,
            .ids = m_ids.data() + rows * m_topK,
            .weights = m_weights.data() + rows * m_topK,
            .tokens = m_tokens,
            .topK = m_topK};
}

void StepRouting::report(ForwardObserver& observer, std::span<const int> layerIndices) {
    const auto rows = layerIndices.size() * static_cast<std::size_t>(m_tokens);
    m_hostScores.resize(rows * static_cast<std::size_t>(m_experts));
    m_hostIds.resize(rows * static_cast<std::size_t>(m_topK));
    m_hostWeights.resize(m_hostIds.size());
    m_device->synchronize();
    m_device->download(m_hostScores.data(), m_scores.data(), m_hostScores.size() * sizeof(float));
    m_device->download(m_hostIds.data(), m_ids.data(), m_hostIds.size() * sizeof(std::int32_t));
    m_device->download(m_hostWeights.data(), m_weights.data(),
                       m_hostWeights.size() * sizeof(float));
    for (std::size_t i = 0; i < layerIndices.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i) * m_tokens;
        observer.onRouting({.layer = layerIndices[i],
                            .tokens = m_tokens,
                            .experts = m_experts,
                            .topK = m_topK,
                            .scores = m_hostScores.data() + row * m_experts,
                            .ids = m_hostIds.data() + row * m_topK,
                            .weights = m_hostWeights.data() + row * m_topK});
    }
}

}  // namespace gatescope
