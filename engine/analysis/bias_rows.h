// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// MoE layers, and the MTP layer if there is one.
std::size_t routerRows(const RoutingShape& shape);
/// Absolute index of a row's layer.
int layerOfRouterRow(const RoutingShape& shape, std::size_t row);

/// Throws Error unless there is one finite bias [E] per row, the MTP layer last.
void checkBiasRows(const RoutingShape& shape, const std::vector<std::vector<float>>& biasByRow);

}  // namespace gatescope
