// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/checkpoint/model_config.h"
#include "engine/model/decoder_weights.h"
#include "engine/model/step_context.h"

namespace gatescope {

AttentionShape attentionShape(const ModelConfig& config, double softmaxScale);

/// Appends the T tokens to the cache: all that later tokens need of them. normed [T, h].
void appendLatent(ConstMatrix normed, const AttentionWeights& weights, const AttentionShape& shape,
                  LatentCacheView cache, StepContext& step);

/// Multi-head latent attention (DeepSeek-V2 report, 2.1): appends the T tokens to the cache and
/// writes attn(normed) to `out`. normed, out [T, h].
void attend(Matrix out, ConstMatrix normed, const AttentionWeights& weights,
            const AttentionShape& shape, LatentCacheView cache, StepContext& step);

}  // namespace gatescope
