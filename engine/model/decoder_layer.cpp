// SPDX-License-Identifier: Apache-2.0
#include "engine/model/decoder_layer.h"

#include "engine/model/attention.h"
#include "engine/model/moe.h"
#include "engine/model/router.h"

namespace gatescope {

LayerParams::LayerParams(const ModelConfig& config, double softmaxScale)
    : attention(attentionShape(config, softmaxScale)),
      route(routeParams(config)),
      rmsNormEps(static_cast<float>(config.rmsNormEps)) {}

void decoderLayer(Matrix x, const LayerWeights& weights, const LayerParams& params,
                  LatentCacheView cache, Routing routing, StepContext& step) {
    auto& device = step.device;
    auto normed = matrix(step.work.normed, x.rows, x.cols);
    auto block = matrix(step.work.block, x.rows, x.cols);

    device.rmsNorm(normed, x, weights.inputNorm.data(), params.rmsNormEps);
    attend(block, normed, weights.attention, params.attention, cache, step);
    device.add(x, block);

    device.rmsNorm(normed, x, weights.postAttentionNorm.data(), params.rmsNormEps);
    if (weights.moe) {
        mixtureOfExperts(block, normed, *weights.moe, params.route, routing, step);
    } else {
        denseMlp(block, normed, weights.mlp, step);
    }
    device.add(x, block);
}

}  // namespace gatescope
