// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "engine/report/sections/sections.h"

namespace gatescope {

std::string layerName(int layer, bool mtp) {
    return std::to_string(layer) + (mtp ? " (MTP)" : "");
}

std::string phasesText(const ReportWords& words, unsigned phases) {
    std::string out;
    const auto add = [&out, &words](const char* text) {
        if (!out.empty()) out += words(", ", "、");
        out += text;
    };
    const auto has = [phases](Phase phase) {
        return (phases >> static_cast<unsigned>(phase) & 1U) != 0;
    };
    if (has(Phase::Prefill)) add(words("prompt", "提示"));
    if (has(Phase::Decode)) add(words("answer", "回答"));
    if (has(Phase::Draft)) add(words("MTP draft", "MTP 草稿"));
    if (has(Phase::Rejected)) add(words("rejected drafts", "被拒绝的草稿"));
    if ((phases & kSpecialTokens) != 0) add(words("special tokens", "特殊词元"));
    return out;
}

MeanMetric meanOf(const BalanceValue& balance, BalanceMetric BalanceRow::*metric) {
    MeanMetric out;
    for (const BalanceRow& row : balance.rows) {
        const BalanceMetric& at = row.*metric;
        if (row.mtp || row.tokens == 0 || std::isnan(at.value)) continue;
        out.value += at.value;
        out.nullMean += at.nullMean;
        out.beyond += at.beyond ? 1 : 0;
        ++out.rows;
    }
    const double rows = out.rows > 0 ? out.rows : std::numeric_limits<double>::quiet_NaN();
    out.value /= rows;
    out.nullMean /= rows;
    return out;
}

std::string verdictSentence(const ReportWords& words, const ComparisonVerdict& verdict) {
    const std::string a = wholeNumber(verdict.tokensA), b = wholeNumber(verdict.tokensB);
    const std::string strongest = threeDigitText(verdict.strongest);
    switch (verdict.kind) {
        case ComparisonVerdict::Kind::NoTokens:
            return words("One of the two groups routed no token of these phases.",
                         "两组中有一组在所选阶段没有经过路由的词元。");
        case ComparisonVerdict::Kind::TooFewUnits:
            return words(
                "There are too few answers or blocks to tell a difference from chance, however "
                "large it is (A: {} tokens, B: {}).",
                "回答或分块太少，无论差异多大都无法与偶然区分（A：{} 个词元，B：{} 个）。", a, b);
        case ComparisonVerdict::Kind::NoDifference:
            return words(
                "No layer routes A and B differently beyond chance ({} layers tested, Holm; A: {} "
                "tokens, B: {}).",
                "没有任何一层对 A 与 B 的路由差异超出偶然（检验 {} 层，Holm 校正；A：{} "
                "个词元，B：{} 个）。",
                verdict.layersTested, a, b);
        case ComparisonVerdict::Kind::Difference:
            return words(
                "{} of {} layers route A and B differently beyond chance (Holm); most in layer {}, "
                "by {} bits of Jensen-Shannon divergence more than exchanged labels give (A: {} "
                "tokens, B: {}).",
                "{} / {} 层对 A 与 B 的路由差异超出偶然（Holm 校正）；第 {} "
                "层最明显，其 JS 散度比随机交换标签时高 {} 比特（A：{} 个词元，B：{} 个）。",
                verdict.layersBeyond, verdict.layersTested, verdict.strongestLayer, strongest, a,
                b);
        case ComparisonVerdict::Kind::SelfDifference:
            return words(
                "{} of {} layers differ beyond chance, but halves of one group differ from each "
                "other in as many (A: {}, B: {}): this is not to be taken for a difference between "
                "the groups.",
                "{} / {} 层的差异超出偶然，但同一组的前后两半也有同样多层不同（A：{}，B：{}"
                "）：不能视为两组之间的差异。",
                verdict.layersBeyond, verdict.layersTested, verdict.selfLayersA,
                verdict.selfLayersB);
    }
    return {};
}

}  // namespace gatescope
