// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/checkpoint/model_config.h"
#include "engine/model/decoder_weights.h"
#include "engine/model/run_routing.h"
#include "engine/model/step_context.h"

namespace gatescope {

/// What all layers of a model have in common.
struct LayerParams {
    AttentionShape attention;
    float rmsNormEps = 1e-6f;

    LayerParams(const ModelConfig& config, double softmaxScale);
};

/// The norm after a layer: the next layer's input norm, or the model's final norm.
struct FollowingNorm {
    const float* weight;  ///< [h]
    Matrix out;           ///< [T, h]
};

/// One pre-norm decoder layer in place: x += attn(normed); x += ffn(norm(x)). x [T, h] and
/// normed [T, h] = input norm of x. Ends with the norm that follows, because adding and norming in
/// one operation reads x once. `route` and `routing` are for MoE layers: how the gate chooses, and
/// what is filled with its choice.
void decoderLayer(Matrix x, ConstMatrix normed, const LayerWeights& weights,
                  const LayerParams& params, LatentCacheView cache, const LayerRoute& route,
                  const Routing& routing, const FollowingNorm& following, StepContext& step);

}  // namespace gatescope
