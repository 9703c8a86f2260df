// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "engine/report/placement_formats.h"
#include "engine/report/placement_plan.h"

namespace gatescope {

/// What PlacementPlan::before is: "current", or "in order, no copies".
std::string_view beforeName(const PlacementPlan& plan);

/// A plan as JSON of the format "gatescope-placement/1": shape, loads, predictions, moves. `maps`:
/// with phy2log, log2phy (padded with -1) and logcnt as EPLB returns them. A number that is none is
/// null. `indent` < 0: on one line.
std::string placementJson(const PlacementPlan& plan, bool maps, int indent = -1);

/// Beside a placement: what it was made from. SGLang takes no key it does not know in the file
/// itself.
std::filesystem::path placementMetaFile(const std::filesystem::path& file);

/// Writes the target's file, and what it is made from to placementMetaFile(). Each is there whole
/// or not at all. Throws Error naming the file, and as placementFile.
void writePlacement(const PlacementPlan& plan, PlacementTarget target,
                    const std::filesystem::path& file);

}  // namespace gatescope
