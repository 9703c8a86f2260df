// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "engine/analysis/load_map.h"
#include "engine/report/report_metrics.h"
#include "engine/report/sections/sections.h"
#include "engine/report/utc_time.h"

namespace gatescope {

namespace {

constexpr std::size_t kListedAnswers = 500;
constexpr std::size_t kListedPrompts = 100;

bool severalMachines(const ReportValue& report) {
    std::set<std::string> kinds;
    for (const ReportedSession& session : report.sessions) {
        kinds.insert(session.device + "\n" + session.precision);
    }
    return kinds.size() > 1;
}

void addAnswers(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    std::vector<DocumentColumn> columns{{words("session", "会话"), true},
                                        {words("turn", "轮次"), true},
                                        {words("begun", "开始时间")},
                                        {words("prompt tokens", "提示词元"), true},
                                        {words("answer tokens", "回答词元"), true},
                                        {words("settings", "设置")}};
    if (report.prompts != PromptDetail::None) {
        columns.push_back({words("SHA-256 of the prompt", "提示的 SHA-256"), false, true});
    }
    DocumentTable table{words("Answers", "回答"), std::move(columns), {}, true};
    std::size_t all = 0;
    for (const ReportedSession& session : report.sessions) {
        for (const ReportedAnswer& answer : session.answers) {
            if (++all > kListedAnswers) continue;
            std::vector<std::string> row{
                std::to_string(session.id),       std::to_string(answer.turn),
                isoUtc(session.createdMs),        wholeNumber(answer.promptTokens),
                wholeNumber(answer.answerTokens), answer.settings};
            if (report.prompts != PromptDetail::None) {
                row.push_back(answer.promptHash.substr(0, 16));
            }
            table.rows.push_back(std::move(row));
        }
    }
    out.add(std::move(table));
    if (all > kListedAnswers) {
        out.note(words("The first {} of {} answers; the report's JSON and CSV have all of them.",
                       "仅列出前 {} 个回答，共 {} 个；JSON 与 CSV 中包含全部。", kListedAnswers,
                       all));
    }
    if (report.prompts != PromptDetail::None) {
        out.note(words("The first 16 of 64 hexadecimal digits; equal prompts have equal hashes.",
                       "64 位十六进制中的前 16 位；相同提示的散列值相同。"));
    }
}

void addPrompts(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    std::size_t shown = 0;
    for (const ReportedSession& session : report.sessions) {
        for (const ReportedAnswer& answer : session.answers) {
            if (answer.prompt.empty() || shown == kListedPrompts) continue;
            ++shown;
            out.add(DocumentVerbatim{words("Session {}, turn {}: {}", "会话 {}，轮次 {}：{}",
                                           session.id, answer.turn, session.title),
                                     answer.prompt});
        }
    }
    if (shown == kListedPrompts) {
        out.note(words("The first {} prompts; the report's JSON has all of them.",
                       "仅列出前 {} 条提示；JSON 中包含全部。", kListedPrompts));
    }
}

}  // namespace

void addLimits(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    out.section("limits", words("Limits", "局限"));
    std::vector<std::string> items;
    if (report.source == ReportSource::Sessions) {
        items.emplace_back(words(
            "Batch-1 traffic is not serving traffic: one request at a time, few texts, often one "
            "subject.",
            "批大小为 1 的流量不是线上服务流量：每次一个请求，文本少，往往只有一个主题。"));
        items.emplace_back(words(
            "Tokens of one text depend on each other; null baselines and p-values are those of "
            "independent tokens, so real evidence is weaker than it looks.",
            "同一文本的词元相互依赖；基准与 p 值按独立词元计算，因此实际证据弱于表面数值。"));
    } else {
        items.emplace_back(
            words("The counts are somebody else's: they do not tell prompt from answer nor one "
                  "token from "
                  "another. How many experts a token chooses was said by whoever made this report.",
                  "计数由他人记录：不区分提示与回答，也不区分单个词元。每词元选择的专家数由制作本报"
                  "告者给出。"));
    }
    const auto needed = tokensNeeded(report.model.shape);
    if (report.load->tokens(0, report.phases) < needed) {
        items.push_back(
            words("n is small: below {} tokens an expert is expected fewer than 5 times.",
                  "n 偏小：少于 {} 个词元时，每个专家期望被选中不足 5 次。", needed));
    }
    if (report.balance.shape.mtpLayer >= 0) {
        items.emplace_back(
            words("The MTP layer is a router of its own and is averaged with no other.",
                  "MTP 层是独立的路由器，不与其他层取平均。"));
    }
    if (severalMachines(report)) {
        items.emplace_back(words(
            "Sessions were computed on different devices or in different precision: choices near a "
            "tie may differ between them.",
            "会话在不同设备或精度下计算：接近并列的选择可能因此不同。"));
    }
    items.emplace_back(words("The shared expert takes every token and is in no load figure.",
                             "共享专家处理每个词元，不计入任何负载数值。"));
    out.list(std::move(items));
}

void addDefinitions(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    out.section("definitions", words("Definitions", "定义"));
    out.note(
        words("n tokens, each with k of E experts; c the times an expert is chosen; N = n k; p = "
              "c / N; q = c E / (n k). The null baseline is a uniform router: k of E without "
              "replacement, all sets alike, independent tokens, the same n. Excess is the value "
              "less the null's mean.",
              "n 个词元，各从 E 个专家中选 k 个；c 为专家被选中的次数；N = n k；p = c / N；q = c E "
              "/ (n k)。基准为均匀路由：无放回地从 E 个中选 k 个，各组合等可能，词元独立，n "
              "相同。超出量为数值减去基准均值。"));
    DocumentTable table{"",
                        {{words("metric", "指标")},
                         {words("definition", "定义")},
                         {words("null baseline", "基准")}},
                        {},
                        false};
    for (const ReportMetric& metric : reportMetrics(words)) {
        table.rows.push_back({metric.name, metric.definition, metric.null});
    }
    out.add(std::move(table));
    if (!report.model.configJson.empty()) {
        out.part("config", words("Configuration of the model", "模型配置"));
        out.add(DocumentVerbatim{"config.json", report.model.configJson});
    }
}

void addSessions(DocumentBuilder& out, const ReportValue& report) {
    if (report.sessions.empty()) return;
    const ReportWords& words = out.words;
    out.section("sessions", words("Sessions", "会话"));
    addAnswers(out, report);
    if (report.prompts == PromptDetail::Texts) {
        out.part("prompts", words("Prompts", "提示"));
        addPrompts(out, report);
    }
}

}  // namespace gatescope
