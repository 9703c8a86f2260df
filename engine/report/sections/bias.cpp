// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/report/report_figures.h"
#include "engine/report/sections/sections.h"

namespace gatescope {

namespace {

bool knowsBiases(const ReportValue& report) {
    return std::any_of(report.bias.begin(), report.bias.end(),
                       [](const ReportedBiasRow& row) { return !row.bias.empty(); });
}

void addDecided(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    BarsFigure bars;
    bars.title = words("Choices the bias decided, by layer", "各层由偏置决定的选择");
    bars.axis = words("layer", "层");
    bars.valueName = words("share of choices (%)", "占选择的百分比");
    for (const ReportedBiasRow& row : report.bias) {
        bars.labels.push_back(row.mtp ? "MTP" : std::to_string(row.layer));
        bars.values.push_back(100 * row.biasDecided);
    }
    out.figure(
        draw(bars),
        words("Bias-decided fraction: choices that would not be made with every bias 0, over "
              "all choices (mean |S_b \\ S_0| / k), groups chosen anew; from the bits that "
              "were recorded with every choice.",
              "由偏置决定的比例：偏置全为 0 时不会做出的选择占全部选择的比例（|S_b \\ S_0| / k "
              "的均值，分组重新选择），来自随每次选择记录的标志位。"));
}

void addRows(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    DocumentTable table{words("Correction bias by layer", "各层的修正偏置"),
                        {{words("layer", "层"), true},
                         {"n", true},
                         {words("decided", "决定"), true},
                         {words("deviation of b", "b 的标准差"), true},
                         {words("largest |b - mean|", "最大 |b - 均值|"), true},
                         {words("would rise", "将升高"), true},
                         {words("would fall", "将降低"), true},
                         {words("rank correlation, b and load", "b 与负载的秩相关"), true}},
                        {},
                        false};
    for (const ReportedBiasRow& row : report.bias) {
        const bool known = !row.bias.empty();
        table.rows.push_back({layerName(row.layer, row.mtp), wholeNumber(row.tokens),
                              percentage(row.biasDecided),
                              known ? threeDigitText(row.deviation) : "\u2013",
                              known ? threeDigitText(row.largest) : "\u2013",
                              known ? wholeNumber(row.raised) : "\u2013",
                              known ? wholeNumber(row.lowered) : "\u2013",
                              known ? signedDigitText(row.loadCorrelation) : "\u2013"});
    }
    out.add(std::move(table));
}

}  // namespace

void addBias(DocumentBuilder& out, const ReportValue& report) {
    if (report.bias.empty()) return;
    const ReportWords& words = out.words;
    out.section("bias", words("Correction bias", "修正偏置"));
    out.body(
        words("The bias is frozen: it takes part in the choice of experts and never in their "
              "weights, and inference does not move it.",
              "偏置是固定的：它只参与专家的选择，不参与权重，推理也不会改变它。"));
    addDecided(out, report);
    addRows(out, report);
    if (knowsBiases(report)) {
        out.note(words(
            "Would rise, would fall: experts whose bias one update of the training rule, b += "
            "gamma "
            "sign(mean load - load), would move on this traffic as one batch. A counterfactual; "
            "nothing is changed.",
            "将升高、将降低：若把这些流量当作一个批次，按训练规则 b += gamma sign(平均负载 - 负载) "
            "更新一次时偏置会移动的专家数。这是反事实计算，不改变任何参数。"));
    } else {
        out.note(
            words("The biases themselves were not at hand: the model's folder is not where the "
                  "sessions say it is, or holds another model.",
                  "未能读取偏置数值：会话所记录的模型目录不存在，或其中是另一个模型。"));
    }
}

}  // namespace gatescope
