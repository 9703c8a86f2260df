// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/checkpoint/model_config.h"
#include "engine/model/decoder_weights.h"
#include "engine/model/step_context.h"

namespace gatescope {

/// What all layers of a model have in common.
struct LayerParams {
    AttentionShape attention;
    RouteParams route;
    float rmsNormEps = 1e-6f;

    LayerParams(const ModelConfig& config, double softmaxScale);
};

/// One pre-norm decoder layer in place: x += attn(norm(x)); x += ffn(norm(x)). x [T, h]. `routing`
/// is filled by MoE layers and ignored by dense ones.
void decoderLayer(Matrix x, const LayerWeights& weights, const LayerParams& params,
                  LatentCacheView cache, Routing routing, StepContext& step);

}  // namespace gatescope
