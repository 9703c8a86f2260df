// SPDX-License-Identifier: Apache-2.0
#include "engine/report/placement_export.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "engine/session/atomic_file.h"

namespace gatescope {

namespace {

using Json = nlohmann::ordered_json;

Json numberJson(double value) {
    return std::isfinite(value) ? Json(value) : Json();
}

Json balanceJson(const PredictedBalance& balance) {
    Json loads = Json::array();
    for (const double load : balance.gpuLoads) loads.push_back(numberJson(load));
    return {{"sglang_balancedness", numberJson(balance.sglang)},
            {"vllm_balancedness", numberJson(balance.vllm)},
            {"vllm_peak_ratio", numberJson(balance.vllmPeakRatio)},
            {"trtllm_imbalance", numberJson(balance.tensorRt)},
            {"straggler_cost", numberJson(balance.stragglerCost)},
            {"straggler_time", numberJson(balance.stragglerTime)},
            {"gpu_loads", std::move(loads)}};
}

Json scoreJson(const HeldOutScore& score) {
    return {{"planned", numberJson(score.planned)},
            {"held_out", numberJson(score.heldOut.value)},
            {"low", numberJson(score.heldOut.low)},
            {"high", numberJson(score.heldOut.high)}};
}

void addMaps(Json& json, const Placement& placement) {
    const std::vector<int> copies = replicaCounts(placement);
    const auto slots = logicalToPhysical(placement);
    const auto experts = static_cast<std::size_t>(placement.experts);
    std::size_t most = 0;
    for (const auto& own : slots) most = std::max(most, own.size());
    Json phy2log = Json::array();
    Json log2phy = Json::array();
    Json counts = Json::array();
    for (int layer = 0; layer < placement.layers; ++layer) {
        const auto row = placement.row(layer);
        phy2log.push_back(std::vector<std::int32_t>(row.begin(), row.end()));
        const std::size_t first = static_cast<std::size_t>(layer) * experts;
        Json own = Json::array();
        for (std::size_t expert = 0; expert < experts; ++expert) {
            std::vector<std::int32_t> padded = slots[first + expert];
            padded.resize(most, -1);
            own.push_back(padded);
        }
        log2phy.push_back(std::move(own));
        counts.push_back(
            std::vector<int>(copies.begin() + static_cast<std::ptrdiff_t>(first),
                             copies.begin() + static_cast<std::ptrdiff_t>(first + experts)));
    }
    json["phy2log"] = std::move(phy2log);
    json["log2phy"] = std::move(log2phy);
    json["logcnt"] = std::move(counts);
}

Json shapeJson(const PlacementPlan& plan) {
    const Placement& placement = plan.placement;
    return {{"format", "gatescope-placement/1"},
            {"policy", name(plan.policy)},
            {"layers", plan.layers.layers},
            {"total_layers", plan.layers.total},
            {"experts", placement.experts},
            {"slots", placement.slots},
            {"gpus", placement.gpus},
            {"nodes", placement.nodes},
            {"groups", plan.groups},
            {"groups_stay_on_nodes", plan.nodeLimit},
            {"loads",
             {{"source", plan.source},
              {"read_as", plan.format},
              {"blocks", plan.blocks},
              {"choices", plan.choices}}}};
}

}  // namespace

std::string_view beforeName(const PlacementPlan& plan) {
    return plan.beforeIsCurrent ? "current" : "in order, no copies";
}

std::string placementJson(const PlacementPlan& plan, bool maps, int indent) {
    Json json = shapeJson(plan);
    json["wasted_slots"] = wastedSlots(plan.placement);
    json["predicted"] = balanceJson(plan.after);
    if (plan.before) {
        json["predicted_before"] = balanceJson(*plan.before);
        json["before"] = beforeName(plan);
    }
    if (plan.heldOut) json["held_out"] = scoreJson(*plan.heldOut);
    if (plan.heldOutEplb) json["held_out_eplb"] = scoreJson(*plan.heldOutEplb);
    if (plan.moved) json["moved_slots"] = *plan.moved;
    if (plan.expertBytes > 0) {
        json["gpu_bytes"] = plan.gpuBytes;
        if (plan.migrationBytes) json["migration_bytes"] = *plan.migrationBytes;
    }
    if (maps) addMaps(json, plan.placement);
    // A file's name need not be UTF-8.
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::filesystem::path placementMetaFile(const std::filesystem::path& file) {
    std::filesystem::path meta = file;
    meta += ".meta.json";
    return meta;
}

void writePlacement(const PlacementPlan& plan, PlacementTarget target,
                    const std::filesystem::path& file) {
    AtomicFile placement(file);
    placement.write(placementFile(target, plan.placement, plan.layers));
    AtomicFile about(placementMetaFile(file));
    about.write(placementJson(plan, false, 2) + "\n");
    placement.commit();
    about.commit();
}

}  // namespace gatescope
