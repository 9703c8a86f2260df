// SPDX-License-Identifier: Apache-2.0
#include "engine/model/moe.h"

#include <vector>

namespace gatescope {

void denseMlp(Matrix out, ConstMatrix normed, const MlpWeights& weights, StepContext& step) {
    auto& device = step.device;
    auto inner = matrix(step.work.inner, step.count, weights.gate.rows);
    device.gatedMatmul(inner, normed, weights.gate, weights.up);
    device.matmul(out, inner, weights.down);
}

namespace {

// Experts kept in host memory: their inputs come over, their sum goes back.
void hostExpertFfn(Matrix out, ConstMatrix normed, const MoeWeights& weights,
                   const Routing& routing, StepContext& step) {
    auto& device = step.device;
    const auto values = static_cast<std::size_t>(normed.rows * normed.cols);
    const auto choices = static_cast<std::size_t>(routing.tokens * routing.topK);
    std::vector<float> in(values);
    std::vector<float> sum(values);
    std::vector<std::int32_t> ids(choices);
    std::vector<float> gateWeights(choices);
    device.download(in.data(), normed.data, values * sizeof(float));
    device.download(ids.data(), routing.ids, choices * sizeof(std::int32_t));
    device.download(gateWeights.data(), routing.weights, choices * sizeof(float));
    const Routing hostRouting{.ids = ids.data(),
                              .weights = gateWeights.data(),
                              .tokens = routing.tokens,
                              .topK = routing.topK};
    weights.expertDevice->expertFfn({sum.data(), normed.rows, normed.cols},
                                    {in.data(), normed.rows, normed.cols}, hostRouting,
                                    weights.experts());
    auto back = matrix(step.work.hostExperts, normed.rows, normed.cols);
    device.upload(back.data, sum.data(), values * sizeof(float));
    device.add(out, back);
}

}  // namespace

void mixtureOfExperts(Matrix out, ConstMatrix normed, const MoeWeights& weights,
                      const LayerRoute& route, Routing routing, StepContext& step) {
    auto& device = step.device;
    auto logits = matrix(step.work.routerLogits, step.count, route.params.experts);
    device.routerMatmul(logits, normed, weights.router);
    device.route(routing, logits, route.bias, route.params);
    if (weights.shared.gate.empty()) {
        device.clear(out);
    } else {
        denseMlp(out, normed, weights.shared, step);
    }
    if (weights.expertDevice == &device) {
        device.expertFfn(out, normed, routing, weights.experts());
    } else {
        hostExpertFfn(out, normed, weights, routing, step);
    }
}

}  // namespace gatescope
