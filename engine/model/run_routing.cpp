// SPDX-License-Identifier: Apache-2.0
#include "engine/model/run_routing.h"

#include <utility>

#include "engine/model/router.h"

namespace gatescope {

RunRouting::RunRouting(const ModelConfig& config, const DecoderWeights& weights, Device& device)
    : m_weights(&weights),
      m_device(&device),
      m_modelParams(routeParams(config)),
      m_modelShape(routingShape(config)),
      m_shape(m_modelShape) {}

RunRouting::Changed RunRouting::change(const LayerIntervention& layer) const {
    const auto experts = static_cast<std::size_t>(m_modelParams.experts);
    auto params = m_modelParams;
    params.topK = layer.topK.value_or(params.topK);
    params.topkGroups = layer.topkGroups.value_or(params.topkGroups);

    std::vector<float> bias;
    if (!layer.bias.empty()) {
        bias = layer.bias;
    } else if (!layer.biasOff) {
        bias = m_weights->routerBias(layer.layer);
    }
    std::vector<float> withoutBias;
    if (!layer.off.empty() || !layer.forced.empty()) {
        bias.resize(experts, 0.0f);
        withoutBias.resize(experts, 0.0f);
    }
    const auto hold = [&](const std::vector<int>& held, float value) {
        for (const int expert : held) {
            bias[static_cast<std::size_t>(expert)] = value;
            withoutBias[static_cast<std::size_t>(expert)] = value;
        }
    };
    hold(layer.off, kNeverChosen);
    hold(layer.forced, kAlwaysChosen);
    return {params, DeviceVector(*m_device, std::move(bias)), std::move(withoutBias)};
}

void RunRouting::set(const Interventions& interventions) {
    if (!interventions.empty()) checkInterventions(interventions, m_modelShape);
    std::map<int, Changed> changed;
    for (const auto& layer : interventions.layers)
        if (!layer.empty()) changed.emplace(layer.layer, change(layer));
    m_device->synchronize();  // a pass may still read the biases that go
    m_interventions = interventions;
    m_shape = runShape(m_modelShape, interventions);
    m_changed = std::move(changed);
    m_id = m_changed.empty() ? 0 : ++m_lastId;
}

int RunRouting::topK(int layer) const {
    const auto found = m_changed.find(layer);
    return found != m_changed.end() ? found->second.params.topK : m_modelParams.topK;
}

LayerRoute RunRouting::route(int layer) const {
    const auto found = m_changed.find(layer);
    if (found != m_changed.end()) return {found->second.params, found->second.bias.data()};
    const auto* weights = m_weights->moe(layer);
    return {m_modelParams, weights ? weights->bias.data() : nullptr};
}

ChoiceRule RunRouting::rule(int layer) const {
    const auto orNull = [](const std::vector<float>& bias) {
        return bias.empty() ? nullptr : &bias;
    };
    const auto found = m_changed.find(layer);
    if (found == m_changed.end())
        return {m_modelParams, orNull(m_weights->routerBias(layer)), nullptr};
    const auto& changed = found->second;
    return {changed.params, orNull(changed.bias.host()), orNull(changed.withoutBias)};
}

}  // namespace gatescope
