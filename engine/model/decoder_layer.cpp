// SPDX-License-Identifier: Apache-2.0
#include "engine/model/decoder_layer.h"

#include "engine/model/attention.h"
#include "engine/model/moe.h"

namespace gatescope {

LayerParams::LayerParams(const ModelConfig& config, double softmaxScale)
    : attention(attentionShape(config, softmaxScale)),
      rmsNormEps(static_cast<float>(config.rmsNormEps)) {}

void decoderLayer(Matrix x, ConstMatrix normed, const LayerWeights& weights,
                  const LayerParams& params, LatentCacheView cache, const LayerRoute& route,
                  const Routing& routing, const FollowingNorm& following, StepContext& step) {
    auto& device = step.device;
    auto block = matrix(step.work.block, x.rows, x.cols);
    attend(block, normed, weights.attention, params.attention, cache, step);
    auto middle = matrix(step.work.normed, x.rows, x.cols);
    device.addRmsNorm(middle, x, block, weights.postAttentionNorm.data(), params.rmsNormEps);
    if (weights.moe) {
        mixtureOfExperts(block, middle, *weights.moe, route, routing, step);
    } else {
        denseMlp(block, middle, weights.mlp, step);
    }
    device.addRmsNorm(following.out, x, block, following.weight, params.rmsNormEps);
}

}  // namespace gatescope
