// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "engine/analysis/placement_planner.h"
#include "engine/analysis/placement_search.h"

namespace gatescope {

/// The plan of one layer; the arguments are checked ones. `current`: [P'] the layer's slots in the
/// placement in use, or empty.
LayerPlan planLayer(std::span<const double> loads, const PlacementShape& shape,
                    const PlannerOptions& options, std::span<const std::int32_t> current,
                    std::uint64_t stream);

/// `plan` with its nodes, and the GPUs in them, exchanged so that most of what they hold is there
/// already (`problem.held`). No load changes.
LayerPlan matchedPlan(const LayerProblem& problem, const LayerPlan& plan);

}  // namespace gatescope
