// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "engine/checkpoint/weight_binding.h"
#include "engine/checkpoint/weight_source.h"
#include "engine/model/expert_placement.h"
#include "engine/progress.h"
#include "kernels/device.h"
#include "kernels/device_buffer.h"

namespace gatescope {

/// A small float32 vector in device memory (norms, router bias), with its host copy.
class DeviceVector {
  public:
    DeviceVector(Device& device, std::vector<float> values)
        : m_host(std::move(values)), m_device(device) {
        float* data = m_device.require(m_host.size());
        device.upload(data, m_host.data(), m_host.size() * sizeof(float));
    }
    const float* data() const { return m_host.empty() ? nullptr : m_device.data(); }
    const std::vector<float>& host() const { return m_host; }

  private:
    std::vector<float> m_host;
    DeviceBuffer<float> m_device;
};

/// Shapes are [out, in]; h = hidden_size, H heads, dn/dr/dv head dims, r = kv_lora_rank.
struct AttentionWeights {
    Weight qA;             ///< [q_lora_rank, h]; empty without query compression
    Weight q;              ///< [H * (dn + dr), q_lora_rank or h]: q_b_proj or q_proj
    Weight kvA;            ///< [r + dr, h]
    Weight kvB;            ///< [H * (dn + dv), r]
    Weight o;              ///< [h, H * dv]
    DeviceVector qANorm;   ///< [q_lora_rank] or empty
    DeviceVector kvANorm;  ///< [r]
};

/// A gated MLP: down(silu(gate x) * up x).
struct MlpWeights {
    Weight gate;  ///< [I, h]
    Weight up;    ///< [I, h]
    Weight down;  ///< [h, I]
};

struct MoeWeights {
    Weight router;                       ///< [E, h]
    DeviceVector bias;                   ///< [E] e_score_correction_bias; empty without one
    std::vector<Weight> gate, up, down;  ///< per routed expert
    /// Where the routed experts are and run: the decoder's device, or the host's where they do not
    /// fit.
    Device* expertDevice = nullptr;
    DeviceBuffer<Weight> table;  ///< [3 E], see ExpertWeights::table
    MlpWeights shared;  ///< one MLP of width n_shared_experts * moe_intermediate_size, or empty

    ExpertWeights experts() const { return {gate, up, down, table.data()}; }
};

struct LayerWeights {
    DeviceVector inputNorm;          ///< [h]
    DeviceVector postAttentionNorm;  ///< [h]
    AttentionWeights attention;
    MlpWeights mlp;                   ///< dense layers
    std::unique_ptr<MoeWeights> moe;  ///< MoE layers
};

struct MtpWeights {
    DeviceVector embeddingNorm;  ///< enorm [h]
    DeviceVector hiddenNorm;     ///< hnorm [h]
    Weight project;              ///< eh_proj [h, 2h]: the embedding's half first
    Weight embedding;            ///< [V, h]
    LayerWeights layer;
    DeviceVector headNorm;  ///< shared_head.norm [h]
    Weight head;            ///< [V, h]
};

/// All weights of a model, checked against the configuration and placed on a device. They point
/// into the source (the mapped files), which must outlive them; only norms and biases are copied.
struct DecoderWeights {
    /// Throws Error naming file, tensor, expected and found; Cancelled when progress says so.
    DecoderWeights(const WeightSource& source, Device& device,
                   const ExpertPlacement& placement = {}, const Progress& progress = {});

    WeightBinder binder;  ///< owns the few scales that had to be copied to be aligned
    Weight embedding;     ///< [V, h]
    Weight head;          ///< [V, h]
    DeviceVector norm;    ///< [h]
    std::vector<LayerWeights> layers;
    std::unique_ptr<MtpWeights> mtp;  ///< null for models without an MTP module

    /// Of an MoE layer by absolute index, the MTP layer included; null for other layers.
    const MoeWeights* moe(int layer) const;
    /// Correction bias [E] of an MoE layer by absolute index, the MTP layer included; empty for
    /// dense layers and models without one.
    const std::vector<float>& routerBias(int layer) const;
};

}  // namespace gatescope
