// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "engine/report/report_figures.h"
#include "engine/report/report_metrics.h"
#include "engine/report/sections/sections.h"

namespace gatescope {

namespace {

constexpr std::size_t kWorstLayers = 10;
constexpr std::size_t kListedExperts = 20;

void addByLayer(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    BarsFigure bars;
    bars.title = words("MaxVio by layer", "各层 MaxVio");
    bars.axis = words("layer", "层");
    bars.valueName = "MaxVio";
    bars.meanName = words("uniform router, mean", "均匀路由均值");
    bars.boundName = words("its 95 % point", "其 95 % 分位点");
    for (const BalanceRow& row : report.balance.rows) {
        bars.labels.push_back(row.mtp ? "MTP" : std::to_string(row.layer));
        bars.values.push_back(row.maxVio.value);
        bars.mean.push_back(row.maxVio.nullMean);
        bars.bound.push_back(row.maxVio.nullP95);
    }
    out.figure(draw(bars),
               words("MaxVio of the summed counts, beside what a uniform router shows on the same "
                     "number of tokens.",
                     "汇总计数的 MaxVio，及均匀路由在同样词元数下的值。"));
}

std::vector<const BalanceRow*> worstFirst(const BalanceValue& balance) {
    std::vector<const BalanceRow*> rows;
    for (const BalanceRow& row : balance.rows) {
        if (!row.mtp && row.tokens > 0) rows.push_back(&row);
    }
    std::stable_sort(rows.begin(), rows.end(), [](const BalanceRow* a, const BalanceRow* b) {
        return a->maxVio.excess > b->maxVio.excess;
    });
    if (rows.size() > kWorstLayers) rows.resize(kWorstLayers);
    return rows;
}

void addWorstLayers(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    DocumentTable table{
        words("The least even layers, by excess of MaxVio", "最不均衡的层，按 MaxVio 超出量排序"),
        {{words("layer", "层"), true},
         {"n", true},
         {"MaxVio", true},
         {words("uniform", "均匀"), true},
         {words("excess", "超出"), true},
         {"CV", true},
         {"Gini", true},
         {words("entropy", "熵"), true},
         {words("hot", "过热"), true},
         {words("cold", "过冷"), true},
         {words("not seen", "未出现"), true},
         {words("dead", "失活"), true}},
        {},
        false};
    for (const BalanceRow* row : worstFirst(report.balance)) {
        table.rows.push_back({layerName(row->layer, row->mtp), wholeNumber(row->tokens),
                              threeDigitText(row->maxVio.value),
                              threeDigitText(row->maxVio.nullMean),
                              signedDigitText(row->maxVio.excess), threeDigitText(row->cv.value),
                              threeDigitText(row->gini.value), threeDigitText(row->entropy.value),
                              wholeNumber(row->hot), wholeNumber(row->cold),
                              wholeNumber(row->notSeen), wholeNumber(row->dead)});
    }
    out.add(std::move(table));
}

void addAllMetrics(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    for (const ReportMetric& metric : reportMetrics(words)) {
        DocumentTable table{words("{}: {}. Null: {}.", "{}：{}。基准：{}。", metric.name,
                                  metric.definition, metric.null),
                            {{words("layer", "层"), true},
                             {"n", true},
                             {metric.name, true},
                             {words("uniform, mean", "均匀，均值"), true},
                             {words("uniform, 95 %", "均匀，95 %"), true},
                             {words("excess", "超出"), true},
                             {words("beyond 95 %", "超出 95 %")}},
                            {},
                            true};
        for (const BalanceRow& row : report.balance.rows) {
            const BalanceMetric& at = row.*metric.member;
            table.rows.push_back({layerName(row.layer, row.mtp), wholeNumber(row.tokens),
                                  threeDigitText(at.value), threeDigitText(at.nullMean),
                                  threeDigitText(at.nullP95), signedDigitText(at.excess),
                                  at.beyond ? words("yes", "是") : ""});
        }
        out.add(std::move(table));
    }
}

struct ListedExpert {
    const BalanceRow* row;
    int expert;
    const ExpertBalance* value;
};

/// Of one verdict, the most certain first.
std::vector<ListedExpert> expertsOf(const BalanceValue& balance, LoadVerdict verdict) {
    std::vector<ListedExpert> out;
    for (const BalanceRow& row : balance.rows) {
        for (std::size_t i = 0; i < row.experts.size(); ++i) {
            if (row.experts[i].verdict == verdict) {
                out.push_back({&row, static_cast<int>(i), &row.experts[i]});
            }
        }
    }
    const auto distance = [](const ListedExpert& at) {
        return std::abs(at.value->relativeLoad - 1);
    };
    std::stable_sort(out.begin(), out.end(), [&](const ListedExpert& a, const ListedExpert& b) {
        if (a.value->qValue != b.value->qValue) return a.value->qValue < b.value->qValue;
        return distance(a) > distance(b);
    });
    return out;
}

void addExperts(DocumentBuilder& out, const ReportValue& report, LoadVerdict verdict,
                const char* title) {
    const ReportWords& words = out.words;
    const std::vector<ListedExpert> found = expertsOf(report.balance, verdict);
    if (found.empty()) return;
    const std::size_t shown = std::min(found.size(), kListedExperts);
    const std::size_t all = found.size();
    DocumentTable table{words("{}: {} of {}", "{}：列出 {} / {}", title, shown, all),
                        {{words("layer", "层"), true},
                         {words("expert", "专家"), true},
                         {words("chosen", "次数"), true},
                         {"n", true},
                         {words("relative load", "相对负载"), true},
                         {"p", true},
                         {"q (FDR)", true}},
                        {},
                        false};
    for (std::size_t i = 0; i < shown; ++i) {
        const ListedExpert& at = found[i];
        table.rows.push_back({layerName(at.row->layer, at.row->mtp), std::to_string(at.expert),
                              wholeNumber(at.value->count), wholeNumber(at.row->tokens),
                              threeDigitText(at.value->relativeLoad),
                              probabilityText(at.value->pValue),
                              probabilityText(at.value->qValue)});
    }
    out.add(std::move(table));
}

}  // namespace

void addBalance(DocumentBuilder& out, const ReportValue& report) {
    out.section("balance", out.words("Balance of the layers", "各层均衡度"));
    addByLayer(out, report);
    addWorstLayers(out, report);
    out.part("metrics", out.words("All metrics of all layers", "所有层的全部指标"));
    addAllMetrics(out, report);
}

void addHotAndCold(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    out.section("experts", words("Hot, cold and dead experts", "过热、过冷与失活的专家"));
    const std::string rate = fmt::format("{:g} %", 100 * report.balance.falseDiscoveryRate);
    const std::string dead = wholeNumber(report.balance.deadTokens);
    out.body(
        words("Each expert's count is tested against Bin(n, k/E) by its exact tails, twice the "
              "smaller one; p-values are adjusted over all experts of all main layers (Benjamini "
              "and Hochberg), the MTP layer's over its own, and called hot or cold at {}. Never "
              "chosen is called dead from {} tokens on, otherwise not seen.",
              "每个专家的计数用 Bin(n, k/E) 的精确尾概率（取较小一侧的两倍）检验；p "
              "值在所有主层的所有专家上做 Benjamini-Hochberg 校正（MTP 层单独校正），以 {} "
              "为界判为过热或过冷。从未被选中的专家在 {} 个词元以上称为失活，否则称为未出现。",
              rate, dead));
    addExperts(out, report, LoadVerdict::Hot, words("Hot experts", "过热的专家"));
    addExperts(out, report, LoadVerdict::Cold, words("Cold experts", "过冷的专家"));
    addExperts(out, report, LoadVerdict::Dead, words("Dead experts", "失活的专家"));
    if (report.source == ReportSource::Sessions) {
        out.note(
            words("Tokens that follow each other in a text are routed alike: the p-values are "
                  "those of independent tokens and flatter a chat.",
                  "文本中相邻词元的路由相近：p 值按词元独立计算，对对话流量偏乐观。"));
    }
}

}  // namespace gatescope
