// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/place_report.h"

#include <fmt/format.h>

#include <cmath>

#include "app/cli/number_text.h"
#include "app/cli/text_table.h"
#include "engine/analysis/rank_balance.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

Json numberJson(double value) {
    return std::isfinite(value) ? Json(value) : Json();
}

Json balanceJson(const PredictedBalance& balance) {
    return {{"sglang_balancedness", numberJson(balance.sglang)},
            {"vllm_balancedness", numberJson(balance.vllm)},
            {"vllm_peak_ratio", numberJson(balance.vllmPeakRatio)},
            {"trtllm_imbalance", numberJson(balance.tensorRt)},
            {"straggler_cost", numberJson(balance.stragglerCost)}};
}

Json scoreJson(const SplitScore& score) {
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

std::string intervalText(const BootstrapInterval& interval) {
    return fmt::format("{} ({})", numberText(interval.value),
                       rangeText(interval.low, interval.high));
}

void addHeldOut(std::string& text, const PlaceReport& report) {
    if (!report.heldOut) {
        text += "\nOne block of traffic: the plan cannot be scored on traffic it has not seen.\n";
        return;
    }
    text += fmt::format(
        "\nPlanned on one half of the blocks, drawn by lot, scored on the other (vLLM "
        "balancedness, 95 % "
        "interval over {} blocks):\n",
        report.blocks / 2);
    TextTable table({"policy", "on its own half", "held out"});
    table.add({report.policy, numberText(report.heldOut->planned),
               intervalText(report.heldOut->heldOut)});
    if (report.heldOutEplb) {
        table.add({"eplb", numberText(report.heldOutEplb->planned),
                   intervalText(report.heldOutEplb->heldOut)});
    }
    text += table.text();
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
    return balance;
}

Json placeJson(const PlaceReport& report, bool maps) {
    const Placement& placement = report.placement;
    Json json = {{"format", "gatescope-placement/1"},
                 {"policy", report.policy},
                 {"layers", report.layers.layers},
                 {"total_layers", report.layers.total},
                 {"experts", placement.experts},
                 {"slots", placement.slots},
                 {"gpus", placement.gpus},
                 {"nodes", placement.nodes},
                 {"groups", report.groups},
                 {"groups_stay_on_nodes", report.nodeLimit},
                 {"loads",
                  {{"source", report.source},
                   {"read_as", report.format},
                   {"blocks", report.blocks},
                   {"choices", report.choices}}},
                 {"wasted_slots", wastedSlots(placement)},
                 {"predicted", balanceJson(report.after)}};
    if (report.before) {
        json["predicted_before"] = balanceJson(*report.before);
        json["before"] = report.beforeName;
    }
    if (report.heldOut) json["held_out"] = scoreJson(*report.heldOut);
    if (report.heldOutEplb) json["held_out_eplb"] = scoreJson(*report.heldOutEplb);
    if (report.moved) json["moved_slots"] = *report.moved;
    if (report.expertBytes > 0) {
        json["gpu_bytes"] = gpuMemoryBytes(placement, report.expertBytes);
        if (report.moved) json["migration_bytes"] = *report.moved * report.expertBytes;
    }
    if (maps) addMaps(json, placement);
    return json;
}

std::string placeText(const PlaceReport& report) {
    const Placement& placement = report.placement;
    std::string text = fmt::format(
        "{} layers x {} experts in {} slots on {} GPUs and {} node{}, by {}\n"
        "loads: {} ({}), {:.0f} choices in {} block{}\n\n",
        placement.layers, placement.experts, placement.slots, placement.gpus, placement.nodes,
        placement.nodes == 1 ? "" : "s", report.policy, report.source, report.format,
        report.choices, report.blocks, report.blocks == 1 ? "" : "s");
    TextTable table(
        {"predicted", report.before ? report.beforeName : std::string("before"), "placed"});
    const auto row = [&](const char* what, double PredictedBalance::*value) {
        table.add({what, report.before ? numberText((*report.before).*value) : "-",
                   numberText(report.after.*value)});
    };
    row("SGLang balancedness (1 is even)", &PredictedBalance::sglang);
    row("vLLM balancedness (1 is even)", &PredictedBalance::vllm);
    row("vLLM peak ratio (1 is even)", &PredictedBalance::vllmPeakRatio);
    row("TensorRT-LLM imbalance (0 is even)", &PredictedBalance::tensorRt);
    row("waiting, share of expert time", &PredictedBalance::stragglerCost);
    text += table.text();
    text += fmt::format("slots without use (copies of one expert on one GPU): {}\n",
                        wastedSlots(placement));
    if (report.moved) text += fmt::format("expert copies to send: {}\n", *report.moved);
    if (report.expertBytes > 0)
        text += fmt::format("bytes of experts on a GPU: {}\n",
                            gpuMemoryBytes(placement, report.expertBytes));
    addHeldOut(text, report);
    if (report.fromSessions)
        text +=
            "\nTraffic of single chats is not serving traffic: take this for an illustration "
            "unless these prompts are what is served.\n";
    return text;
}

}  // namespace gatescope::cli
