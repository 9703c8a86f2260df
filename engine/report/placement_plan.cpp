// SPDX-License-Identifier: Apache-2.0
#include "engine/report/placement_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <span>
#include <utility>

#include "engine/analysis/eplb.h"
#include "engine/analysis/rank_balance.h"
#include "engine/analysis/split_random.h"
#include "engine/error.h"
#include "engine/report/session_loads.h"

namespace gatescope {

namespace {

constexpr int kMostLayers = 1 << 16;

using Plan = std::function<Placement(const ExpertLoads&)>;

std::vector<double> relativeGpuLoads(const RankLoads& ranks) {
    std::vector<double> sums(static_cast<std::size_t>(ranks.gpus));
    for (std::size_t i = 0; i < ranks.values.size(); ++i) sums[i % sums.size()] += ranks.values[i];
    const double mean =
        std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(sums.size());
    for (double& sum : sums) sum /= mean;  // NaN where nothing was routed, as the balances are
    return sums;
}

/// Experts in order, as they stand without redundancy; nothing if they do not divide.
std::optional<Placement> plainPlacement(const ExpertLoads& loads, const PlacementShape& shape) {
    if (loads.experts % shape.gpus != 0) return {};
    Placement plain{loads.layers, loads.experts, loads.experts, shape.gpus, shape.nodes, {}};
    for (int layer = 0; layer < loads.layers; ++layer) {
        for (int expert = 0; expert < loads.experts; ++expert) {
            plain.physicalToLogical.push_back(expert);
        }
    }
    return plain;
}

/// In an order of chance: prompts that come in turns, one of each kind, would fall into halves of
/// different kinds.
std::vector<ExpertLoads> shuffled(std::vector<ExpertLoads> blocks, std::uint64_t seed) {
    SplitRandom random(seed, 0);
    for (std::size_t i = blocks.size(); i > 1; --i) {
        std::swap(blocks[i - 1], blocks[random.below(static_cast<std::uint32_t>(i))]);
    }
    return blocks;
}

HeldOutScore heldOutScore(std::span<const ExpertLoads> blocks, const Plan& plan) {
    const SplitScore score = splitScore(blocks, TrafficSplit::Alternate, plan);
    return {score.planned, score.heldOut};
}

PlannerOptions plannerOptions(const PlacementRequest& request, bool nodeLimit,
                              const Progress& progress, const std::stop_token& stop) {
    PlannerOptions options;
    options.nodeLimit = nodeLimit;
    options.dispersion = request.dispersion;
    options.drift = request.drift;
    if (request.current)
        options.current =
            CurrentPlacement{*request.current, request.expertBytes, request.pricePerGiB};
    options.seed = request.seed;
    options.threads = request.threads;
    options.progress = progress;
    options.stop = stop;
    return options;
}

void setMoved(PlacementPlan& plan, const PlacementRequest& request) {
    if (request.current) plan.moved = movedSlots(*request.current, plan.placement);
    plan.expertBytes = request.expertBytes;
    if (plan.expertBytes == 0) return;
    plan.gpuBytes = gpuMemoryBytes(plan.placement, plan.expertBytes);
    if (request.current)
        plan.migrationBytes = migrationBytes(*request.current, plan.placement, plan.expertBytes);
}

/// The plan's head: all that is known before anything is planned.
PlacementPlan begun(const RecordedLoads& recorded, const ExpertLoads& loads,
                    const PlacementRequest& request, std::optional<PlacementTarget> target) {
    const PlacementShape& shape = request.shape;
    PlacementPlan plan;
    plan.format = recorded.format;
    plan.policy = request.policy;
    plan.blocks = recorded.blocks.size();
    plan.choices = std::accumulate(loads.values.begin(), loads.values.end(), 0.0);
    plan.groups = shape.groups;
    plan.nodeLimit =
        !request.anyNode && shape.groups > 1 && shape.nodes > 1 && shape.groups % shape.nodes == 0;
    plan.fromSessions = recorded.format == kSessionLoads;
    plan.layers = placedLayers(recorded, request, target);
    plan.beforeIsCurrent = request.current.has_value();
    const std::optional<Placement> before =
        request.current ? request.current : plainPlacement(loads, shape);
    if (before) plan.before = predictedBalance(*before, loads);
    return plan;
}

}  // namespace

PredictedBalance predictedBalance(const Placement& placement, const ExpertLoads& loads) {
    const RankLoads ranks = rankLoads(placement, loads);
    PredictedBalance balance;
    balance.sglang = sglangBalancedness(std::span(&ranks, 1));
    balance.vllm = vllmBalancedness(ranks);
    balance.vllmPeakRatio = vllmPeakRatio(ranks);
    balance.tensorRt = tensorRtImbalance(std::span(&ranks, 1));
    balance.stragglerCost = stragglerCost(ranks);
    balance.stragglerTime = stragglerTime(ranks);
    balance.gpuLoads = relativeGpuLoads(ranks);
    return balance;
}

std::string_view name(PlacementPolicy policy) {
    return policy == PlacementPolicy::Eplb ? "eplb" : "gatescope";
}

std::optional<PlacementPolicy> placementPolicyFromName(std::string_view text) {
    for (const PlacementPolicy policy : {PlacementPolicy::Eplb, PlacementPolicy::Gatescope}) {
        if (name(policy) == text) return policy;
    }
    return {};
}

bool countsAllLayers(PlacementTarget target) {
    return target == PlacementTarget::Sglang || target == PlacementTarget::TensorRtLlm;
}

PlacedLayers placedLayers(const RecordedLoads& loads, const PlacementRequest& request,
                          std::optional<PlacementTarget> target) {
    PlacedLayers placed{loads.layers, request.totalLayers};
    if (request.firstLayer >= 0 || placed.layers.empty()) {
        if (request.firstLayer < 0 && target && countsAllLayers(*target))
            throw Error(
                "the loads do not say which layers they are, and this target counts all layers of "
                "the model: the absolute index of the first one is needed (3 in DeepSeek-V3)");
        if (request.firstLayer > kMostLayers)
            throw Error(fmt::format("layer {} as the first of the loads is beyond {}",
                                    request.firstLayer, kMostLayers));
        placed.layers.resize(static_cast<std::size_t>(loads.layerCount()));
        std::iota(placed.layers.begin(), placed.layers.end(), std::max(0, request.firstLayer));
    }
    if (placed.total == 0 && !placed.layers.empty()) placed.total = placed.layers.back() + 1;
    if (target) checkLayers(placed, loads.layerCount());
    return placed;
}

PlacementPlan planForLoads(const RecordedLoads& recorded, const PlacementRequest& request,
                           std::optional<PlacementTarget> target, const Progress& progress,
                           std::stop_token stop) {
    const ExpertLoads loads = recorded.total();
    const PlacementShape& shape = request.shape;
    checkShape(shape, loads.experts);
    PlacementPlan plan = begun(recorded, loads, request, target);

    const PlannerOptions options = plannerOptions(request, plan.nodeLimit, progress, stop);
    const Plan byEplb = [&](const ExpertLoads& some) {
        if (stop.stop_requested() || (progress && !progress("planning", 0, 1))) throw Cancelled();
        return eplb(some, shape);
    };
    const Plan byPlanner = [&](const ExpertLoads& some) {
        return planPlacement(some, shape, options);
    };
    const bool own = request.policy == PlacementPolicy::Gatescope;
    plan.placement = own ? byPlanner(loads) : byEplb(loads);
    plan.after = predictedBalance(plan.placement, loads);
    setMoved(plan, request);
    if (recorded.blocks.size() < 2) return plan;
    const std::vector<ExpertLoads> blocks = shuffled(recorded.blocks, request.seed);
    plan.heldOut = heldOutScore(blocks, own ? byPlanner : byEplb);
    if (own) plan.heldOutEplb = heldOutScore(blocks, byEplb);
    return plan;
}

}  // namespace gatescope
