// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_figures.h"
#include "engine/report/sections/sections.h"

namespace gatescope {

namespace {

struct BalanceLine {
    const char* name;
    const char* definition;
    double PredictedBalance::*member;
};

std::vector<BalanceLine> balanceLines(const ReportWords& words) {
    return {
        {words("SGLang balancedness", "SGLang balancedness"),
         words("mean over layers of (mean L + 1e-5) / (max L + 1e-5); 1 is even",
               "各层 (mean L + 1e-5) / (max L + 1e-5) 的均值；1 为均衡"),
         &PredictedBalance::sglang},
        {words("vLLM balancedness", "vLLM balancedness"),
         words("sum over layers of mean L / sum of max L; 1 is even",
               "各层 mean L 之和 / max L 之和；1 为均衡"),
         &PredictedBalance::vllm},
        {words("vLLM peak ratio (proposal)", "vLLM 峰值比（提案）"),
         words("mean over layers of max L / mean L; 1 is even, larger is worse",
               "各层 max L / mean L 的均值；1 为均衡，越大越差"),
         &PredictedBalance::vllmPeakRatio},
        {words("TensorRT-LLM imbalance", "TensorRT-LLM 不均衡度"),
         words("mean over layers of (max L - mean L) / mean L; 0 is even",
               "各层 (max L - mean L) / mean L 的均值；0 为均衡"),
         &PredictedBalance::tensorRt},
        {words("waiting", "等待"),
         words("sum of max L / sum of mean L - 1: part of the expert time lost to the slowest GPU, "
               "if expert time is all there is",
               "max L 之和 / mean L 之和 - 1：若只计专家时间，等待最慢 GPU 的占比"),
         &PredictedBalance::stragglerCost},
    };
}

const char* beforeColumn(const ReportWords& words, const PlacementPlan& plan) {
    return plan.beforeIsCurrent ? words("current", "当前")
                                : words("in order, no copies", "按序，无副本");
}

void addPredicted(DocumentBuilder& out, const PlacementPlan& plan) {
    const ReportWords& words = out.words;
    DocumentTable table{words("Predicted on the recorded traffic, L the load of a GPU in a layer",
                              "在所记录流量上的预测，L 为 GPU 在一层中的负载"),
                        {{words("measure", "度量")},
                         {words("definition", "定义")},
                         {beforeColumn(words, plan), true},
                         {words("placed", "放置后"), true}},
                        {},
                        false};
    for (const BalanceLine& line : balanceLines(words)) {
        table.rows.push_back({line.name, line.definition,
                              plan.before ? threeDigitText((*plan.before).*line.member) : "\u2013",
                              threeDigitText(plan.after.*line.member)});
    }
    out.add(std::move(table));
}

void addGpuLoads(DocumentBuilder& out, const PlacementPlan& plan) {
    const ReportWords& words = out.words;
    BarsFigure bars;
    bars.title = words("Load of each GPU over the mean", "各 GPU 负载与均值之比");
    bars.axis = "GPU";
    for (std::size_t i = 0; i < plan.after.gpuLoads.size(); ++i) {
        bars.labels.push_back(std::to_string(i));
    }
    bars.reference = 1;
    if (plan.before) {
        bars.values = plan.before->gpuLoads;
        bars.second = plan.after.gpuLoads;
        bars.valueName = beforeColumn(words, plan);
        bars.secondName = words("placed", "放置后");
    } else {
        bars.values = plan.after.gpuLoads;
        bars.valueName = words("placed", "放置后");
    }
    out.figure(draw(bars),
               words("{}, summed over layers. Layers wait one by one: even sums do not "
                     "make an even cluster, the table's measures do.",
                     "{}，各层求和。各层逐一等待：总和均衡并不等于集群均衡，应以表中度量为准。",
                     bars.title));
}

void addFacts(DocumentBuilder& out, const PlacementPlan& plan) {
    const ReportWords& words = out.words;
    std::vector<std::vector<std::string>> rows{
        {words("Policy", "策略"), std::string(name(plan.policy))},
        {words("GPUs, nodes", "GPU、节点"),
         fmt::format("{}, {}", plan.placement.gpus, plan.placement.nodes)},
        {words("Slots of a layer", "每层槽位"),
         words("{}, of which {} redundant", "{}，其中冗余 {}", plan.placement.slots,
               plan.placement.slots - plan.placement.experts)},
        {words("Experts of a group stay on one node", "同组专家位于同一节点"),
         plan.nodeLimit ? words("yes", "是") : words("no", "否")},
        {words("Slots without use (copies of one expert on one GPU)",
               "无用槽位（同一 GPU 上同一专家的副本）"),
         wholeNumber(wastedSlots(plan.placement))}};
    if (plan.moved) {
        rows.push_back(
            {words("Expert copies to send", "需传送的专家副本"), wholeNumber(*plan.moved)});
    }
    if (plan.expertBytes > 0) {
        rows.push_back({words("Expert weights on each GPU", "每个 GPU 的专家权重"),
                        byteSize(static_cast<double>(plan.gpuBytes))});
    }
    out.facts("", std::move(rows));
}

void addHeldOut(DocumentBuilder& out, const PlacementPlan& plan) {
    const ReportWords& words = out.words;
    if (!plan.heldOut) {
        out.note(
            words("One block of traffic: the plan cannot be scored on traffic it has not seen.",
                  "流量只有一个分块：无法在未见过的流量上评估该方案。"));
        return;
    }
    const auto blocks = plan.blocks / 2;
    DocumentTable table{
        words("Planned on one half of {} blocks drawn by lot, scored on the other (vLLM "
              "balancedness)",
              "随机取 {} 个分块的一半做规划，在另一半上评估（vLLM balancedness）", plan.blocks),
        {{words("policy", "策略")},
         {words("on its own half", "规划所用的一半"), true},
         {words("held out (95 %, {} blocks)", "另一半（95 %，{} 个分块）", blocks), true}},
        {},
        false};
    const auto add = [&](std::string policy, const HeldOutScore& score) {
        const BootstrapInterval& at = score.heldOut;
        table.rows.push_back({std::move(policy), threeDigitText(score.planned),
                              withInterval(words, at.value, at.low, at.high)});
    };
    add(std::string(name(plan.policy)), *plan.heldOut);
    if (plan.heldOutEplb) add("eplb", *plan.heldOutEplb);
    out.add(std::move(table));
}

}  // namespace

void addPlacement(DocumentBuilder& out, const ReportValue& report) {
    if (!report.placement) return;
    const ReportWords& words = out.words;
    const PlacementPlan& plan = *report.placement;
    out.section("placement", words("Expert placement", "专家放置"));
    addFacts(out, plan);
    addPredicted(out, plan);
    addGpuLoads(out, plan);
    addHeldOut(out, plan);
    if (plan.fromSessions) {
        out.warning(
            words("Planned from single chats: an illustration, unless these prompts are what "
                  "is served.",
                  "由单个对话的流量规划得到：仅作示意，除非所服务的正是这些提示。"));
    }
}

}  // namespace gatescope
