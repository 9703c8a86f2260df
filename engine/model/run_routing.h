// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "engine/model/decoder_weights.h"
#include "engine/model/interventions.h"
#include "engine/trace/choice_rule.h"
#include "kernels/device.h"

namespace gatescope {

/// How one layer's router chooses in a pass.
struct LayerRoute {
    RouteParams params;
    const float* bias = nullptr;  ///< [E] in device memory; null: chosen by the affinities alone
};

/// How the routers of all layers choose: the model's own parameters and correction biases, changed
/// by interventions. An expert that is off or forced has a bias no affinity can outweigh, so the
/// device's route operation needs to know nothing of interventions.
class RunRouting {
  public:
    /// Weights and device must outlive it.
    RunRouting(const ModelConfig& config, const DecoderWeights& weights, Device& device);

    /// Throws Error, see checkInterventions, and then changes nothing.
    void set(const Interventions& interventions);
    const Interventions& interventions() const { return m_interventions; }
    /// 0 without interventions, else a number no other set of this object had: for StepKey.
    std::uint64_t id() const { return m_id; }

    /// k of the run: the largest of all layers.
    int topK() const { return m_shape.topK; }
    /// k of one layer.
    int topK(int layer) const;
    const RoutingShape& shape() const { return m_shape; }
    /// Of an MoE layer, by absolute index.
    LayerRoute route(int layer) const;
    /// The same for whoever works the choice out again on the host. Valid until the next set().
    ChoiceRule rule(int layer) const;

  private:
    struct Changed {
        RouteParams params;
        DeviceVector bias;               ///< empty: none takes part
        std::vector<float> withoutBias;  ///< only what is off and forced; empty: nothing is
    };
    Changed change(const LayerIntervention& layer) const;

    const DecoderWeights* m_weights;
    Device* m_device;
    RouteParams m_modelParams;
    RoutingShape m_modelShape;
    RoutingShape m_shape;
    Interventions m_interventions;
    std::map<int, Changed> m_changed;
    std::uint64_t m_id = 0;
    std::uint64_t m_lastId = 0;
};

}  // namespace gatescope
