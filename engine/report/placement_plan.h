// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/analysis/placement_planner.h"
#include "engine/analysis/placement_score.h"
#include "engine/progress.h"
#include "engine/report/placement_formats.h"
#include "engine/report/recorded_loads.h"

namespace gatescope {

/// Balance that a placement would have on the traffic it is scored with, as each engine defines it
/// (engine/analysis/rank_balance.h).
struct PredictedBalance {
    double sglang = 0;
    double vllm = 0;
    double vllmPeakRatio = 0;
    double tensorRt = 0;
    double stragglerCost = 0;
    double stragglerTime = 0;  ///< in the unit of the loads
    /// [R] load of each GPU summed over layers, over the GPUs' mean: 1 is even.
    std::vector<double> gpuLoads;
};
PredictedBalance predictedBalance(const Placement& placement, const ExpertLoads& loads);

enum class PlacementPolicy : std::uint8_t { Eplb, Gatescope };
/// "eplb", "gatescope".
std::string_view name(PlacementPolicy policy);
std::optional<PlacementPolicy> placementPolicyFromName(std::string_view name);

/// What a person asks of a placement.
struct PlacementRequest {
    PlacementShape shape;
    PlacementPolicy policy = PlacementPolicy::Gatescope;
    bool anyNode = false;  ///< experts of one group may be on several nodes
    int firstLayer = -1;   ///< absolute index of the loads' first row; -1: as the loads say
    int totalLayers = 0;   ///< main layers, dense ones included; 0: up to the last with experts
    std::int64_t expertBytes = 0;  ///< weights of one expert of one layer; 0: not said
    std::optional<Placement> current;
    double pricePerGiB = 0;  ///< CurrentPlacement::pricePerGiB
    double dispersion = 1;   ///< PlannerOptions
    double drift = 0.05;
    std::uint64_t seed = 1;
    int threads = 0;
};

/// A plan made on one half of the traffic, scored on both.
struct HeldOutScore {
    double planned = 0;         ///< vLLM balancedness on the half planned on
    BootstrapInterval heldOut;  ///< on the other half
};

/// A placement, and all that is predicted about it.
struct PlacementPlan {
    std::string source;  ///< name of the file the loads are from; planForLoads leaves it empty
    std::string format;  ///< what it was read as
    PlacementPolicy policy = PlacementPolicy::Gatescope;
    std::size_t blocks = 0;
    double choices = 0;  ///< expert choices in all layers
    int groups = 1;
    bool nodeLimit = false;     ///< all copies of a group's experts are on one node
    bool fromSessions = false;  ///< traffic of single chats: an illustration
    PlacedLayers layers;
    Placement placement;
    bool beforeIsCurrent = false;  ///< else `before` is the experts in order, without copies
    std::optional<PredictedBalance> before;  ///< nothing where experts do not divide among GPUs
    PredictedBalance after;
    std::optional<HeldOutScore> heldOut;      ///< nothing with fewer than two blocks
    std::optional<HeldOutScore> heldOutEplb;  ///< of EPLB on the same halves
    std::optional<std::int64_t> moved;        ///< expert copies to send, with a current placement
    std::int64_t expertBytes = 0;             ///< 0: not said, as are these two:
    std::int64_t gpuBytes = 0;                ///< experts' weights on one GPU
    std::optional<std::int64_t> migrationBytes;  ///< of the copies to send
};

/// SGLang and TensorRT-LLM number the dense layers, too.
bool countsAllLayers(PlacementTarget target);

/// Absolute layers of the loads' rows: from the loads, or as the request says. Throws Error where
/// neither says it and `target` counts all layers of the model.
PlacedLayers placedLayers(const RecordedLoads& loads, const PlacementRequest& request,
                          std::optional<PlacementTarget> target = {});

/// Plans for all of the loads, and scores a plan made on one half of their blocks on the other.
/// Throws Error as the planner and placedLayers, Cancelled when told to stop.
PlacementPlan planForLoads(const RecordedLoads& loads, const PlacementRequest& request,
                           std::optional<PlacementTarget> target = {},
                           const Progress& progress = {}, std::stop_token stop = {});

}  // namespace gatescope
