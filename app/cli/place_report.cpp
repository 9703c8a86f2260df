// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/place_report.h"

#include <fmt/format.h>

#include "app/cli/number_text.h"
#include "app/cli/text_table.h"
#include "engine/report/placement_export.h"

namespace gatescope::cli {
namespace {

std::string intervalText(const BootstrapInterval& interval) {
    return fmt::format("{} ({})", numberText(interval.value),
                       rangeText(interval.low, interval.high));
}

void addHeldOut(std::string& text, const PlacementPlan& plan) {
    if (!plan.heldOut) {
        text += "\nOne block of traffic: the plan cannot be scored on traffic it has not seen.\n";
        return;
    }
    text += fmt::format(
        "\nPlanned on one half of the blocks, drawn by lot, scored on the other (vLLM "
        "balancedness, 95 % "
        "interval over {} blocks):\n",
        plan.blocks / 2);
    TextTable table({"policy", "on its own half", "held out"});
    table.add({std::string(name(plan.policy)), numberText(plan.heldOut->planned),
               intervalText(plan.heldOut->heldOut)});
    if (plan.heldOutEplb) {
        table.add({"eplb", numberText(plan.heldOutEplb->planned),
                   intervalText(plan.heldOutEplb->heldOut)});
    }
    text += table.text();
}

}  // namespace

std::string placeText(const PlacementPlan& plan) {
    const Placement& placement = plan.placement;
    std::string text = fmt::format(
        "{} layers x {} experts in {} slots on {} GPUs and {} node{}, by {}\n"
        "loads: {} ({}), {:.0f} choices in {} block{}\n\n",
        placement.layers, placement.experts, placement.slots, placement.gpus, placement.nodes,
        placement.nodes == 1 ? "" : "s", name(plan.policy), plan.source, plan.format, plan.choices,
        plan.blocks, plan.blocks == 1 ? "" : "s");
    TextTable table({"predicted",
                     plan.before ? std::string(beforeName(plan)) : std::string("before"),
                     "placed"});
    const auto row = [&](const char* what, double PredictedBalance::*value) {
        table.add({what, plan.before ? numberText((*plan.before).*value) : "-",
                   numberText(plan.after.*value)});
    };
    row("SGLang balancedness (1 is even)", &PredictedBalance::sglang);
    row("vLLM balancedness (1 is even)", &PredictedBalance::vllm);
    row("vLLM peak ratio (1 is even)", &PredictedBalance::vllmPeakRatio);
    row("TensorRT-LLM imbalance (0 is even)", &PredictedBalance::tensorRt);
    row("waiting, share of expert time", &PredictedBalance::stragglerCost);
    text += table.text();
    text += fmt::format("slots without use (copies of one expert on one GPU): {}\n",
                        wastedSlots(placement));
    if (plan.moved) text += fmt::format("expert copies to send: {}\n", *plan.moved);
    if (plan.expertBytes > 0) text += fmt::format("bytes of experts on a GPU: {}\n", plan.gpuBytes);
    addHeldOut(text, plan);
    if (plan.fromSessions)
        text +=
            "\nTraffic of single chats is not serving traffic: take this for an illustration "
            "unless these prompts are what is served.\n";
    return text;
}

}  // namespace gatescope::cli
