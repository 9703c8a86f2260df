// SPDX-License-Identifier: Apache-2.0
#include "engine/model/moe.h"

namespace gatescope {

void denseMlp(Matrix out, ConstMatrix normed, const MlpWeights& weights, StepContext& step) {
    auto& device = step.device;
    auto gate = matrix(step.work.gate, step.count, weights.gate.rows);
    auto up = matrix(step.work.up, step.count, weights.up.rows);
    device.matmul(gate, normed, weights.gate);
    device.matmul(up, normed, weights.up);
    device.swiglu(gate, gate, up);
    device.matmul(out, gate, weights.down);
}

void mixtureOfExperts(Matrix out, ConstMatrix normed, const MoeWeights& weights,
                      const RouteParams& params, Routing routing, StepContext& step) {
    auto& device = step.device;
    auto logits = matrix(step.work.routerLogits, step.count, params.experts);
    device.matmul(logits, normed, weights.router);
    device.route(routing, logits, weights.bias.data(), params);
    if (weights.shared.gate.empty()) {
        device.clear(out);
    } else {
        denseMlp(out, normed, weights.shared, step);
    }
    device.expertFfn(out, normed, routing, {weights.gate, weights.up, weights.down});
}

}  // namespace gatescope
