// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "engine/analysis/load_map.h"
#include "engine/report/report_figures.h"
#include "engine/report/sections/sections.h"

namespace gatescope {

namespace {

constexpr std::size_t kListedShifts = 20;

std::string sessionsText(const std::vector<std::int64_t>& sessions) {
    std::string out;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
        if (i == 20) return out + ", ...";
        if (i > 0) out += ", ";
        out += std::to_string(sessions[i]);
    }
    return out;
}

void addGroups(DocumentBuilder& out, const ReportedComparison& value) {
    const ReportWords& words = out.words;
    DocumentTable table{words("The groups", "两组"), {{""}, {"A", true}, {"B", true}}, {}, false};
    const RunFigures& a = value.figuresA;
    const RunFigures& b = value.figuresB;
    const auto row = [&table](const char* what, std::string left, std::string right) {
        table.rows.push_back({what, std::move(left), std::move(right)});
    };
    row(words("answers", "回答"), wholeNumber(a.answers), wholeNumber(b.answers));
    row(words("tokens routed", "经过路由的词元"), wholeNumber(a.routedTokens),
        wholeNumber(b.routedTokens));
    row(words("MaxVio, mean over layers", "MaxVio，各层均值"), threeDigitText(a.maxVio),
        threeDigitText(b.maxVio));
    row(words("the same of a uniform router", "均匀路由的相应值"), threeDigitText(a.maxVioNull),
        threeDigitText(b.maxVioNull));
    row(words("choices the bias decided", "由偏置决定的选择"), percentage(a.biasDecided),
        percentage(b.biasDecided));
    row(words("drafts accepted", "接受的草稿"), percentage(a.speculation.rate),
        percentage(b.speculation.rate));
    row(words("decode, tokens per second", "解码，每秒词元"),
        threeDigitText(a.decodeTokensPerSecond), threeDigitText(b.decodeTokensPerSecond));
    out.add(std::move(table));
}

void addDifferenceMap(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    const PairComparison& pair = report.comparison->pair;
    LoadMapFigure map;
    map.shape = pair.shape;
    map.values = pair.difference;
    const auto rows = pair.layers.size();
    if (map.values.size() != rows * static_cast<std::size_t>(map.shape.experts)) return;
    map.title = words("Difference of B from A", "B 与 A 的差异");
    map.scale = LoadMapScale::Difference;
    map.limit = divergingLimit(map.values, 1);
    map.unit = words("log2 of share in B over A", "B 与 A 份额之比的 log2");
    map.expertAxis = words("expert", "专家");
    map.layerAxis = words("layer", "层");
    map.noData = words("too few choices", "选择过少");
    out.figure(draw(map), words("{}: log2 of the share in B over that in A, half a choice added to "
                                "each; blank below {} choices in both together.",
                                "{}：B 与 A 中份额之比的 log2（两侧各加半次选择）；两组合计少于 {} "
                                "次选择时留空。",
                                map.title, kFewestChoices));
}

void addLayers(DocumentBuilder& out, const PairComparison& pair) {
    const ReportWords& words = out.words;
    DocumentTable table{words("Divergence by layer", "各层散度"),
                        {{words("layer", "层"), true},
                         {"n A", true},
                         {"n B", true},
                         {words("JSD, bits", "JSD，比特"), true},
                         {words("by chance", "偶然"), true},
                         {"p", true},
                         {"Holm", true},
                         {"TV", true},
                         {words("rank correlation", "秩相关"), true}},
                        {},
                        true};
    for (const LayerComparison& layer : pair.layers) {
        table.rows.push_back({layerName(layer.layer, layer.mtp), wholeNumber(layer.tokensA),
                              wholeNumber(layer.tokensB), threeDigitText(layer.stratified),
                              threeDigitText(layer.nullMean), probabilityText(layer.pValue),
                              probabilityText(layer.holm), threeDigitText(layer.totalVariation),
                              threeDigitText(layer.spearman)});
    }
    out.add(std::move(table));
}

void addShifts(DocumentBuilder& out, const PairComparison& pair) {
    const ReportWords& words = out.words;
    const std::string beyond = wholeNumber(pair.expertsBeyond),
                      tested = wholeNumber(pair.expertsTested);
    DocumentTable table{words("Experts whose share shifts ({} of {} beyond chance, family-wise)",
                              "份额发生变化的专家（{} / {} 超出偶然，族错误率）", beyond, tested),
                        {{words("layer", "层"), true},
                         {words("expert", "专家"), true},
                         {"A", true},
                         {"B", true},
                         {words("share A", "份额 A"), true},
                         {words("share B", "份额 B"), true},
                         {words("log2 ratio (95 %)", "log2 比（95 %）"), true},
                         {words("p, adjusted", "校正 p"), true}},
                        {},
                        true};
    for (std::size_t i = 0; i < pair.experts.size() && i < kListedShifts; ++i) {
        const ShiftedExpert& at = pair.experts[i];
        table.rows.push_back(
            {layerName(at.layer, at.mtp), std::to_string(at.expert), wholeNumber(at.countA),
             wholeNumber(at.countB), percentage(at.shareA), percentage(at.shareB),
             withInterval(words, at.log2Ratio, at.log2Ratio95.low, at.log2Ratio95.high),
             probabilityText(at.pAdjusted)});
    }
    out.add(std::move(table));
}

}  // namespace

void addComparison(DocumentBuilder& out, const ReportValue& report) {
    if (!report.comparison) return;
    const ReportWords& words = out.words;
    const PairComparison& pair = report.comparison->pair;
    out.section("comparison", words("Two groups compared", "两组比较"));
    out.body(verdictSentence(words, pair.verdict));
    const std::string a = sessionsText(report.comparison->sessionsA);
    const std::string b = sessionsText(report.comparison->sessionsB);
    out.note(words("A: sessions {}. B: sessions {}.", "A：会话 {}。B：会话 {}。", a, b));
    addGroups(out, *report.comparison);
    addDifferenceMap(out, report);
    addLayers(out, pair);
    addShifts(out, pair);
    const std::string unit =
        pair.unit == PermutedUnit::Answer
            ? words("whole answers", "整个回答")
            : words("blocks of {} tokens", "{} 个词元的分块", pair.blockTokens);
    const std::string permutations = wholeNumber(pair.scheme.permutations);
    out.note(
        words("Permuted: {}, {} times, seed {}, within each phase; p = (1 + #{{T* >= T}}) / (B + "
              "1). JSD is weighted by the groups' sizes.",
              "置换单位：{}，{} 次，种子 {}，在各阶段内进行；p = (1 + #{{T* >= T}}) / (B + 1)。JSD "
              "按两组大小加权。",
              unit, permutations, pair.options.seed));
}

}  // namespace gatescope
