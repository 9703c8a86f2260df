// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels/cpu/choose_experts.h"
#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/grain.h"

// The gate of DeepSeek-V3 (technical report, Eq. 12-16) and of V2. The bias takes part in the
// choice only; weights come from the affinities.

namespace gatescope {

namespace {

void affinities(float* scores, const float* logits, const RouteParams& p) {
    if (p.sigmoid) {
        for (int e = 0; e < p.experts; ++e) scores[e] = 1.0f / (1.0f + std::exp(-logits[e]));
        return;
    }
    const float largest = *std::max_element(logits, logits + p.experts);
    float sum = 0;
    for (int e = 0; e < p.experts; ++e) sum += scores[e] = std::exp(logits[e] - largest);
    for (int e = 0; e < p.experts; ++e) scores[e] /= sum;
}

void gateWeights(float* weights, const std::int32_t* ids, const float* scores,
                 const RouteParams& p) {
    // DeepSeek's code adds 1e-20 so that all-zero affinities do not divide by zero.
    float sum = 1e-20f;
    for (int j = 0; j < p.topK; ++j) sum += weights[j] = scores[ids[j]];
    float factor = p.scalingFactor;
    if (p.normTopkProb) factor = (p.scaleNormalised ? p.scalingFactor : 1.0f) / sum;
    for (int j = 0; j < p.topK; ++j) weights[j] *= factor;
}

}  // namespace

void CpuDevice::route(Routing routing, ConstMatrix logits, const float* bias,
                      const RouteParams& params) {
    const auto grain = taskGrain(16 * params.experts);
    m_pool.parallelFor(routing.tokens, grain, [&](std::int64_t begin, std::int64_t end) {
        ExpertChooser chooser(params);
        for (auto t = begin; t < end; ++t) {
            float* scores = routing.scores + t * params.experts;
            std::int32_t* ids = routing.ids + t * params.topK;
            affinities(scores, logits.row(t), params);
            chooser.choose(scores, bias, params.topK, ids);
            gateWeights(routing.weights + t * params.topK, ids, scores, params);
        }
    });
}

}  // namespace gatescope
