// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/checkpoint/model_config.h"
#include "engine/trace/step_trace.h"
#include "kernels/device.h"

namespace gatescope {

/// How the model's gate chooses: DeepSeek-V3's noaux_tc, V2's greedy and group_limited_greedy.
RouteParams routeParams(const ModelConfig& config);

/// What traces need to know of the model's routing.
RoutingShape routingShape(const ModelConfig& config);

}  // namespace gatescope
