// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/analysis/placement.h"

namespace gatescope {

/// What DeepSeek's EPLB (https://github.com/deepseek-ai/EPLB) places, written from its description:
/// - where the nodes divide the groups, groups are packed onto nodes and each node's experts are
///   copied and packed within it (hierarchical); otherwise as if there were one group and one node
///   (global);
/// - each further copy goes to the expert with the largest load / copies;
/// - packing visits the heaviest first and takes the least loaded bin with a place left; as many
///   items as bins stay in their order.
/// All in single precision; where loads are equal, the lowest index comes first. It may put copies
/// of one expert on one GPU, where they are of no use. Throws Error as checkLoads and checkShape.
Placement eplb(const ExpertLoads& loads, const PlacementShape& shape);

/// The same, global whatever the groups.
Placement eplbGlobal(const ExpertLoads& loads, const PlacementShape& shape);

}  // namespace gatescope
