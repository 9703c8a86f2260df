// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/analysis/placement_search.h"

namespace gatescope {

/// [E] the node of every expert, for groups (the experts g E / groups and following) packed onto
/// nodes, the same number on each: the heaviest group first onto the lightest node with a place
/// left, then, if `improved`, swaps while they lower the cost of nodes that are even inside.
std::vector<std::size_t> groupHomes(const LayerProblem& problem, std::size_t groups, bool improved);

/// [E] copies of every expert that fill all slots of its node, at most one for each of the node's
/// GPUs. While a copy's load is above `peak` (of the GPUs' mean load) the heaviest copy's expert
/// gets the next one, as in EPLB; below it, the expert whose next copy takes most variance away.
std::vector<std::size_t> copyCounts(const LayerProblem& problem,
                                    const std::vector<std::size_t>& homes, double peak);

/// The heaviest copy first onto the node's lightest GPU that has a place left and no copy of the
/// same expert.
LayerPlan packedPlan(const LayerProblem& problem, const std::vector<std::size_t>& homes,
                     const std::vector<std::size_t>& copies);

/// EPLB's slots with every second copy of an expert on a GPU taken away: it changes places with the
/// copy on another GPU of the node that leaves the two most even, or, where every GPU of the node
/// has the expert, becomes a further copy of the node's expert with the largest load / copies.
LayerPlan repairedPlan(const LayerProblem& problem, LayerPlan plan);

}  // namespace gatescope
