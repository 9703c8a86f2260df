// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>

#include "engine/analysis/placement.h"
#include "engine/progress.h"

namespace gatescope {

/// A placement that is in use, and what leaving it costs.
struct CurrentPlacement {
    Placement placement;              ///< same layers, experts and GPUs
    std::int64_t bytesPerExpert = 0;  ///< weights of one expert of one layer
    /// By how much the largest over the mean GPU load of a layer has to fall for one GiB sent to
    /// that layer to be worth it. 0: sending is free, but nothing is sent without need.
    double pricePerGiB = 0;
};

struct PlannerOptions {
    /// All copies of a group's experts on one node, for routers that limit the nodes of a token.
    bool nodeLimit = false;
    /// Variance over mean of an expert's load, as a sample: 1 for counts of independent choices,
    /// more where tokens that follow each other choose alike, 0 for loads that are certain.
    double dispersion = 1;
    /// Standard deviation of the change of an expert's load between the traffic planned for and the
    /// traffic to come, over the load.
    double drift = 0.05;
    std::optional<CurrentPlacement> current;
    int effort = 12;         ///< disturbances of each layer's best plan that the search tries
    std::uint64_t seed = 1;  ///< of the disturbances
    int threads = 0;         ///< 0: all there are; changes no number
    Progress progress;       ///< called on the caller's thread, with layers
    std::stop_token stop;
};

/// A placement for traffic of which `loads` is a sample, for the least expected load of the busiest
/// GPU in each layer (LayerProblem). No GPU has two copies of one expert. The loads of the traffic
/// to come are those of the sample, drawn to their mean as far as chance spread them (James and
/// Stein), with the variance of another sample of that size around them. Several starts, among them
/// EPLB's choice of copies, are improved by local search. The same for any number of threads.
/// Throws Cancelled, and Error for what checkLoads and checkShape refuse, for more slots on a GPU
/// than there are experts for it, for a node limit that the groups do not allow, and for a current
/// placement of another model or other GPUs.
Placement planPlacement(const ExpertLoads& loads, const PlacementShape& shape,
                        const PlannerOptions& options = {});

}  // namespace gatescope
