// SPDX-License-Identifier: Apache-2.0
#include "engine/report/sections/sections.h"

namespace gatescope {

namespace {
constexpr std::size_t kShownPairs = 5;  // per layer
}

void addCoactivation(DocumentBuilder& out, const ReportValue& report) {
    if (report.pairs.empty()) return;
    const ReportWords& words = out.words;
    out.section("pairs", words("Experts chosen together", "共同激活的专家"));
    const std::string fewest = threeDigitText(kMinExpectedPairs);
    out.body(
        words("Over all k (k - 1) / 2 pairs of a token's choices, not only neighbours in rank, so "
              "values are larger than those of scripts that count neighbours. Lift is p_ij / "
              "(p_i p_j); pairs expected fewer than {} times are left out.",
              "统计每个词元所选专家的全部 k (k - 1) / 2 "
              "对，而非仅排名相邻者，因此数值大于只统计相邻对的脚本。提升度为 p_ij / (p_i "
              "p_j)；期望次数少于 {} 的专家对不列出。",
              fewest));
    DocumentTable table{words("Pairs with the largest lift", "提升度最大的专家对"),
                        {{words("layer", "层"), true},
                         {words("experts", "专家")},
                         {words("together", "共同次数"), true},
                         {words("expected", "期望"), true},
                         {words("lift", "提升度"), true},
                         {words("lift by chance", "偶然提升度"), true},
                         {"phi", true},
                         {"n", true}},
                        {},
                        true};
    for (const ReportedPairs& row : report.pairs) {
        for (std::size_t i = 0; i < row.pairs.size() && i < kShownPairs; ++i) {
            const ExpertPair& pair = row.pairs[i];
            table.rows.push_back({layerName(row.layer, row.mtp),
                                  fmt::format("{}, {}", pair.first, pair.second),
                                  wholeNumber(pair.count), threeDigitText(pair.expectedCount),
                                  threeDigitText(pair.lift), threeDigitText(row.expectedLift),
                                  signedDigitText(pair.phi), wholeNumber(row.tokens)});
        }
    }
    if (table.rows.empty()) {
        out.note(words("There are too few tokens: no pair is expected that often.",
                       "词元太少：没有任何专家对达到该期望次数。"));
        return;
    }
    out.add(std::move(table));
    out.note(
        words("The largest of many lifts are large by chance, too: read them beside their "
              "expected counts.",
              "从众多专家对中选出的最大提升度本身就会偏大，请结合期望次数阅读。"));
}

}  // namespace gatescope
