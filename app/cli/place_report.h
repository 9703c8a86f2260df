// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "engine/report/placement_plan.h"

namespace gatescope::cli {

/// What `place` found, for people.
std::string placeText(const PlacementPlan& plan);

}  // namespace gatescope::cli
