// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/decoder_weights.h"
#include "engine/model/run_routing.h"
#include "engine/model/step_context.h"

namespace gatescope {

/// out = down(silu(gate x) * up x); out, normed [T, h].
void denseMlp(Matrix out, ConstMatrix normed, const MlpWeights& weights, StepContext& step);

/// out = shared(x) + sum of the experts chosen by `route`, by gate weight; fills `routing`. out,
/// normed [T, h].
void mixtureOfExperts(Matrix out, ConstMatrix normed, const MoeWeights& weights,
                      const LayerRoute& route, Routing routing, StepContext& step);

}  // namespace gatescope
