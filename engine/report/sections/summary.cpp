// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "engine/report/sections/sections.h"

namespace gatescope {

namespace {

std::int64_t answersOf(const ReportValue& report) {
    std::int64_t answers = 0;
    for (const ReportedSession& session : report.sessions) {
        answers += static_cast<std::int64_t>(session.answers.size());
    }
    return answers;
}

const char* plural(std::int64_t count) {
    return count == 1 ? "" : "s";
}

std::string whatWasCounted(const ReportWords& words, const ReportValue& report) {
    const RoutingShape& shape = report.model.shape;
    const auto layers = shape.layers.size();
    const std::string n = wholeNumber(report.load->tokens(0, report.phases));
    if (report.source == ReportSource::Loads) {
        return words(
            "{0} tokens are counted in each of {1} MoE layers, as {2} ({3}) has them; every token "
            "chooses {4} of {5} experts.",
            "依据 {2}（{3}），{1} 个 MoE 层各计入 {0} 个词元；每个词元从 {5} 个专家中选择 {4} 个。",
            n, layers, report.sourceName, report.sourceFormat, shape.topK, shape.experts);
    }
    const auto sessions = report.sessions.size();
    const std::string answers = wholeNumber(answersOf(report));
    return words(
        "{0} tokens ({1}) of {2} answer{8} in {3} session{9} went through {4} MoE layers of {5}; "
        "every "
        "token chooses {6} of {7} experts.",
        "{3} 个会话、{2} 个回答中的 {0} 个词元（{1}）经过 {5} 的 {4} 个 MoE 层；每个词元从 {7} "
        "个专家中选择 {6} 个。",
        n, phasesText(words, report.phases & ~(1U << static_cast<unsigned>(Phase::Draft))), answers,
        sessions, layers, report.model.name, shape.topK, shape.experts, plural(answersOf(report)),
        plural(static_cast<std::int64_t>(sessions)));
}

std::string howEven(const ReportWords& words, const BalanceValue& balance) {
    const MeanMetric vio = meanOf(balance, &BalanceRow::maxVio);
    const std::string busiest = threeDigitText(1 + vio.value), value = threeDigitText(vio.value),
                      chance = threeDigitText(vio.nullMean);
    return words(
        "The busiest expert of a layer takes {} times its fair share, as a mean over layers "
        "(MaxVio "
        "{}); a uniform router has MaxVio {} on as many tokens. {} of {} layers lie beyond its "
        "95 % point.",
        "各层最忙专家的负载平均为公平份额的 {} 倍（MaxVio {}）；同样词元数下均匀路由的 MaxVio 为 "
        "{}。{} / {} 层超出其 95 % 分位点。",
        busiest, value, chance, vio.beyond, vio.rows);
}

std::string worstLayer(const ReportWords& words, const BalanceValue& balance) {
    const BalanceRow* worst = nullptr;
    for (const BalanceRow& row : balance.rows) {
        if (row.mtp || row.tokens == 0) continue;
        if (worst == nullptr || row.maxVio.excess > worst->maxVio.excess) worst = &row;
    }
    if (worst == nullptr) return {};
    const auto busiest = std::max_element(
        worst->experts.begin(), worst->experts.end(),
        [](const ExpertBalance& a, const ExpertBalance& b) { return a.count < b.count; });
    const auto expert = busiest - worst->experts.begin();
    const std::string value = threeDigitText(worst->maxVio.value),
                      excess = signedDigitText(worst->maxVio.excess);
    return words(
        "Layer {} is the least even: MaxVio {} ({} against the uniform router), by expert {}.",
        "第 {} 层最不均衡：MaxVio {}（相对均匀路由 {}），来自专家 {}。", worst->layer, value,
        excess, expert);
}

std::string extremes(const ReportWords& words, const BalanceValue& balance) {
    int hot = 0, cold = 0, dead = 0, notSeen = 0;
    std::size_t cells = 0;
    for (const BalanceRow& row : balance.rows) {
        if (row.mtp) continue;
        hot += row.hot;
        cold += row.cold;
        dead += row.dead;
        notSeen += row.notSeen;
        cells += row.experts.size();
    }
    const std::string rate = fmt::format("{:g} %", 100 * balance.falseDiscoveryRate);
    return words(
        "Of {0} experts in the main layers {1} are hot and {2} cold at a false discovery rate of "
        "{3}; {4} were never chosen in enough tokens to be called dead, {5} were not seen in too "
        "few tokens to tell.",
        "主层的 {0} 个专家中，在错误发现率 {3} 下 {1} 个过热、{2} 个过冷；{4} "
        "个在足够多的词元中从未被选中，可视为失活；{5} 个未出现，但词元数不足以判断。",
        cells, hot, cold, rate, dead, notSeen);
}

std::string biasSentence(const ReportWords& words, const ReportValue& report) {
    double decided = 0, tokens = 0;
    for (const ReportedBiasRow& row : report.bias) {
        if (row.mtp || row.tokens == 0) continue;
        decided += row.biasDecided * static_cast<double>(row.tokens);
        tokens += static_cast<double>(row.tokens);
    }
    if (tokens == 0) return {};
    const std::string share = percentage(decided / tokens);
    return words("The correction bias decided {} of the choices; the weights are not its work.",
                 "修正偏置决定了 {} 的选择；它不影响门控权重。", share);
}

std::string speculationSentence(const ReportWords& words, const ReportedSpeculation& value) {
    const std::string length = threeDigitText(value.all.length), rate = percentage(value.all.rate),
                      gain = percentage(value.gain.gain);
    if (std::isnan(value.gain.gain)) {
        return words("Speculative decoding accepted {} of its drafts, {} tokens per verify step.",
                     "推测解码接受了 {} 的草稿，每个验证步得到 {} 个词元。", rate, length);
    }
    return words(
        "Speculative decoding accepted {} of its drafts, {} tokens per verify step; measured "
        "against "
        "plain steps of the same sessions that is {} in tokens per second.",
        "推测解码接受了 {} 的草稿，每个验证步得到 {} "
        "个词元；与同一会话的普通步相比，每秒词元数变化 {}。",
        rate, length, gain);
}

std::string placementSentence(const ReportWords& words, const PlacementPlan& plan) {
    const std::string after = threeDigitText(plan.after.vllm);
    if (!plan.before) {
        return words(
            "Placed on {} GPUs with {} slots a layer, vLLM balancedness is predicted as {}.",
            "放置到 {} 个 GPU、每层 {} 个槽位时，预计 vLLM 均衡度为 {}。", plan.placement.gpus,
            plan.placement.slots, after);
    }
    const std::string before = threeDigitText(plan.before->vllm);
    return words(
        "Placed on {} GPUs with {} slots a layer, vLLM balancedness is predicted to go from {} to "
        "{}.",
        "放置到 {} 个 GPU、每层 {} 个槽位时，预计 vLLM 均衡度由 {} 变为 {}。", plan.placement.gpus,
        plan.placement.slots, before, after);
}

}  // namespace

void addSummary(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    out.section("summary", words("Summary", "摘要"));
    std::vector<std::string> items{whatWasCounted(words, report)};
    if (meanOf(report.balance, &BalanceRow::maxVio).rows > 0) {
        items.push_back(howEven(words, report.balance));
        items.push_back(worstLayer(words, report.balance));
        items.push_back(extremes(words, report.balance));
    }
    items.push_back(biasSentence(words, report));
    if (report.speculation) items.push_back(speculationSentence(words, *report.speculation));
    if (report.comparison) {
        items.push_back(verdictSentence(words, report.comparison->pair.verdict));
    }
    if (report.placement) items.push_back(placementSentence(words, *report.placement));
    items.erase(std::remove(items.begin(), items.end(), std::string()), items.end());
    out.list(std::move(items));
    if (report.source == ReportSource::Sessions) {
        out.warning(
            words("This is traffic of single chats, one request at a time. It is not serving "
                  "traffic: few "
                  "texts, tokens that depend on each other, batches of one.",
                  "这些流量来自单个对话，每次一个请求，并非线上服务流量：文本少、词元相互依赖、批大"
                  "小为 1。"));
    }
}

}  // namespace gatescope
