// SPDX-License-Identifier: Apache-2.0
#include "engine/model/attention.h"

namespace gatescope {

namespace {

// The norms inside the projections: the checkpoints' own code builds them with this default and
// ignores rms_norm_eps (it shows where that is 1e-5, as in Moonlight).
constexpr float kProjectionEps = 1e-6f;

}  // namespace

AttentionShape attentionShape(const ModelConfig& config, double softmaxScale) {
    return {.heads = config.numAttentionHeads,
            .nopeDim = config.qkNopeHeadDim,
            .ropeDim = config.qkRopeHeadDim,
            .valueDim = config.vHeadDim,
            .latentDim = config.kvLoraRank,
            .scale = static_cast<float>(softmaxScale)};
}

void appendLatent(ConstMatrix normed, const AttentionWeights& weights, const AttentionShape& shape,
                  LatentCacheView cache, StepContext& step) {
    auto keyValue = matrix(step.work.keyValue, step.count, shape.latentWidth());
    step.device.matmul(keyValue, normed, weights.kvA);
    step.device.latentAppend(cache, step.position, keyValue, shape, weights.kvANorm.data(),
                             kProjectionEps, step.cosSin);
}

void attend(Matrix out, ConstMatrix normed, const AttentionWeights& weights,
            const AttentionShape& shape, LatentCacheView cache, StepContext& step) {
    auto& device = step.device;
    auto query = matrix(step.work.query, step.count, shape.heads * shape.queryDim());
    if (weights.qA.empty()) {
        device.matmul(query, normed, weights.q);
    } else {
        auto latent = matrix(step.work.queryLatent, step.count, weights.qA.rows);
        device.matmul(latent, normed, weights.qA);
        device.rmsNorm(latent, latent, weights.qANorm.data(), kProjectionEps);
        device.matmul(query, latent, weights.q);
    }
    device.rotary(query, shape, step.cosSin);

    appendLatent(normed, weights, shape, cache, step);
    auto heads = matrix(step.work.attention, step.count, shape.heads * shape.valueDim);
    if (step.path == AttentionPath::Absorbed) {
        device.absorbedAttention(heads, query, weights.kvB, cache, step.position, shape);
    } else {
        device.expandedAttention(heads, query, weights.kvB, cache, step.position, shape);
    }
    device.matmul(out, heads, weights.o);
}

}  // namespace gatescope
