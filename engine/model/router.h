// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/checkpoint/model_config.h"
#include "engine/trace/step_trace.h"
#include "kernels/device.h"

namespace gatescope {

class Decoder;

/// How the model's gate chooses: DeepSeek-V3's noaux_tc, V2's greedy and group_limited_greedy.
RouteParams routeParams(const ModelConfig& config);

/// What traces need to know of the model's routing.
RoutingShape routingShape(const ModelConfig& config);

/// The model's correction bias by MoE layer, the MTP layer last; [E] each, empty without one.
std::vector<std::vector<float>> routerBiasByRow(const Decoder& decoder);

}  // namespace gatescope
