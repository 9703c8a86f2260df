// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "engine/checkpoint/model_config.h"

namespace gatescope {

/// A vector [rows] or a matrix [rows, cols].
enum class TensorRank { One, Two };

/// A tensor the model needs: its published name and its shape, [rows = out, cols = in] for a matrix
/// and [rows] for a vector (cols is 1).
struct TensorSpec {
    std::string name;
    TensorRank rank = TensorRank::Two;
    std::int64_t rows = 0;
    std::int64_t cols = 1;
    bool optional = false;
};

// h = hidden_size, V = vocab_size, H = num_attention_heads, dn/dr/dv = qk_nope/qk_rope/v head dims.

TensorSpec embeddingTensor(const ModelConfig& config);  ///< [V, h]
/// [V, h]; the embedding itself if tie_word_embeddings.
TensorSpec headTensor(const ModelConfig& config);
TensorSpec finalNormTensor(const ModelConfig& config);  ///< [h]

/// The attention half of a layer. Exactly one of query and {queryA, queryANorm, queryB} is there.
struct AttentionTensors {
    TensorSpec inputNorm;                  ///< [h]
    std::optional<TensorSpec> query;       ///< q_proj [H (dn + dr), h]
    std::optional<TensorSpec> queryA;      ///< [q_lora_rank, h]
    std::optional<TensorSpec> queryANorm;  ///< [q_lora_rank]
    std::optional<TensorSpec> queryB;      ///< [H (dn + dr), q_lora_rank]
    TensorSpec kvA;                        ///< kv_a_proj_with_mqa [kv_lora_rank + dr, h]
    TensorSpec kvANorm;                    ///< [kv_lora_rank]
    TensorSpec kvB;                        ///< [H (dn + dv), kv_lora_rank]
    TensorSpec output;                     ///< [h, H dv]
    TensorSpec postNorm;                   ///< post_attention_layernorm [h]
};
AttentionTensors attentionTensors(const ModelConfig& config, int layer);

/// A SwiGLU block of width w: gate and up [w, h], down [h, w].
struct MlpTensors {
    TensorSpec gate;
    TensorSpec up;
    TensorSpec down;
};
MlpTensors denseMlpTensors(const ModelConfig& config, int layer);
MlpTensors expertTensors(const ModelConfig& config, int layer, int expert);
/// Of width n_shared_experts * moe_intermediate_size; only if n_shared_experts > 0.
MlpTensors sharedExpertTensors(const ModelConfig& config, int layer);

struct RouterTensors {
    TensorSpec weight;               ///< mlp.gate.weight [n_routed_experts, h]
    std::optional<TensorSpec> bias;  ///< e_score_correction_bias [n_routed_experts], noaux_tc only
};
RouterTensors routerTensors(const ModelConfig& config, int layer);

/// What an MTP module has beside a decoder layer. embedding and head are duplicates of the main
/// model's; where a checkpoint lacks them, the main ones take their place.
struct MtpTensors {
    TensorSpec embeddingNorm;  ///< enorm [h]
    TensorSpec hiddenNorm;     ///< hnorm [h]
    TensorSpec projection;     ///< eh_proj [h, 2 h], embedding half first
    TensorSpec headNorm;       ///< shared_head.norm [h]
    TensorSpec embedding;      ///< embed_tokens [V, h], optional
    TensorSpec head;           ///< shared_head.head [V, h], optional
};
/// layer: config.mtpLayer() for the first module, and so on.
MtpTensors mtpTensors(const ModelConfig& config, int layer);

/// Layers with tensors of their own: the main model's and the MTP modules'.
int tensorLayers(const ModelConfig& config);

/// Calls visit with every tensor of the model, made one at a time (a configuration may ask for
/// millions that no file holds); stops when it returns false and then returns false itself.
using TensorVisitor = std::function<bool(const TensorSpec&)>;
bool forEachTensor(const ModelConfig& config, const TensorVisitor& visit);
/// Those outside the layers: embedding, final norm, head.
bool forEachOuterTensor(const ModelConfig& config, const TensorVisitor& visit);
/// Those of one layer, 0 <= layer < tensorLayers(config).
bool forEachLayerTensor(const ModelConfig& config, int layer, const TensorVisitor& visit);

}  // namespace gatescope
