// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "app/cli/compare_report.h"
#include "app/cli/number_text.h"
#include "app/cli/terminal.h"
#include "app/cli/text_table.h"
#include "engine/checkpoint/printable.h"

namespace gatescope::cli {
namespace {

constexpr std::size_t kMostTitleBytes = 100;
constexpr std::size_t kMostSideBytes = 60;

std::string count(std::int64_t value) {
    return fmt::format("{}", value);
}

std::string layerName(int layer, bool mtp) {
    return mtp ? fmt::format("{} (MTP)", layer) : fmt::format("{}", layer);
}

const ComparedRun& runOf(const CompareReport& report, int index) {
    return report.comparison.runs[static_cast<std::size_t>(index)];
}

std::string runsList(const CompareReport& report) {
    std::string text;
    for (std::size_t i = 0; i < report.comparison.runs.size(); ++i) {
        const ComparedRun& run = report.comparison.runs[i];
        text +=
            fmt::format("{}: sessions {}: {}\n   {}, {}, {}{}{}\n", run.label, report.sides[i],
                        printable(run.title, kMostTitleBytes), printable(run.modelName),
                        printable(run.device), run.settings.empty() ? "" : run.settings + ", ",
                        run.precision, run.interventions.empty() ? "" : ", " + run.interventions);
    }
    return text;
}

std::string figuresTables(const CompareReport& report) {
    TextTable routing({"run", "answers", "prompt n", "answer n", "routed n", "rejected n", "MaxVio",
                       "null", "CV", "Gini", "entropy", "margin, median", "bias decides"});
    TextTable speed({"run", "verify n", "drafted n", "accepted", "rate", "95 %", "tau",
                     "prefill tok/s", "decode tok/s", "cache n", "cache", "mean log p"});
    for (std::size_t i = 0; i < report.comparison.runs.size(); ++i) {
        const RunFigures& run = report.comparison.figures[i];
        const std::string& label = report.comparison.runs[i].label;
        routing.add({label, count(run.answers), count(run.promptTokens), count(run.answerTokens),
                     count(run.routedTokens), count(run.rejectedTokens), numberText(run.maxVio),
                     numberText(run.maxVioNull), numberText(run.cv), numberText(run.gini),
                     numberText(run.entropy), numberText(run.medianMargin),
                     percentText(run.biasDecided)});
        const SpeculationRates& drafts = run.speculation;
        speed.add({label, count(drafts.steps), count(drafts.drafted), count(drafts.accepted),
                   percentText(drafts.rate),
                   rangeText(100 * drafts.rate95.low, 100 * drafts.rate95.high),
                   numberText(drafts.length), numberText(run.prefillTokensPerSecond),
                   numberText(run.decodeTokensPerSecond), count(run.cachePositions),
                   bytesText(static_cast<double>(run.cacheUsed)) + " " + run.cacheDtype,
                   numberText(run.meanLogProbability)});
    }
    return "Runs (n in tokens; MaxVio, CV, Gini, entropy: means over the main layers; null: MaxVio "
           "of a uniform router on as many tokens)\n" +
           routing.text() + "\n" + speed.text() + "\n";
}

/// Those that differ most first; the MTP layer last.
std::vector<LayerComparison> worstFirst(std::vector<LayerComparison> layers) {
    std::stable_sort(layers.begin(), layers.end(),
                     [](const LayerComparison& a, const LayerComparison& b) {
                         const auto key = [](const LayerComparison& layer) {
                             const bool untested = std::isnan(layer.pValue);
                             return std::tuple(layer.mtp, untested, untested ? 0 : layer.pValue,
                                               untested ? 0 : layer.nullMean - layer.stratified);
                         };
                         return key(a) < key(b);
                     });
    return layers;
}

std::string selfText(const SelfComparison& self) {
    return fmt::format("{} ({})", numberText(self.divergence.corrected), numberText(self.pValue));
}

std::string layersTable(const CompareReport& report, const PairComparison& pair) {
    const std::string a = runOf(report, pair.a).label;
    const std::string b = runOf(report, pair.b).label;
    TextTable table({"layer", "n " + a, "n " + b, "JSD_w", "corrected", "tested", "null", "95 %",
                     "p", "Holm", "q", "TV", "cosine", "Spearman", "MaxVio " + a, "MaxVio " + b,
                     a + " halves (p)", b + " halves (p)"});
    for (const LayerComparison& layer : worstFirst(pair.layers)) {
        table.add({layerName(layer.layer, layer.mtp), count(layer.tokensA), count(layer.tokensB),
                   numberText(layer.divergence.weighted), numberText(layer.divergence.corrected),
                   numberText(layer.stratified), numberText(layer.nullMean),
                   numberText(layer.nullP95), numberText(layer.pValue), numberText(layer.holm),
                   numberText(layer.qValue), numberText(layer.totalVariation),
                   numberText(layer.cosine), numberText(layer.spearman), numberText(layer.maxVioA),
                   numberText(layer.maxVioB), selfText(layer.selfA), selfText(layer.selfB)});
    }
    return fmt::format(
               "Layers, the most different first (Jensen-Shannon divergence in bits; tested: mean "
               "over strata; null, 95 %: of it over {} {};\nhalves: corrected divergence of a "
               "run's first half from its second)\n",
               pair.scheme.permutations,
               pair.scheme.exact ? "assignments, all there are" : "permutations") +
           table.text() + "\n";
}

std::string strataTable(const CompareReport& report, const PairComparison& pair) {
    const std::string a = runOf(report, pair.a).label;
    const std::string b = runOf(report, pair.b).label;
    constexpr const char* kNames[] = {"prefill", "decode", "draft (MTP)"};
    TextTable table({"stratum", "n " + a, "n " + b, "units " + a, "units " + b, "tested"});
    for (const ComparisonStratum& stratum : pair.strata) {
        if (stratum.tokensA == 0 && stratum.tokensB == 0) continue;
        table.add({fmt::format("{}{}", kNames[static_cast<std::size_t>(stratum.phase)],
                               stratum.special ? ", special" : ""),
                   count(stratum.tokensA), count(stratum.tokensB), count(stratum.unitsA),
                   count(stratum.unitsB), stratum.tested ? "yes" : "no"});
    }
    std::string text = "Strata (units: what is exchanged between the runs)\n" + table.text();
    if (pair.prefixTokens > 0) {
        text +=
            fmt::format("The first {} positions of every prompt, common to all, are left out.\n",
                        pair.prefixTokens);
    }
    return text + "\n";
}

std::string expertsTable(const CompareReport& report, const PairComparison& pair) {
    if (pair.experts.empty() || report.top == 0) return {};
    const std::string a = runOf(report, pair.a).label;
    const std::string b = runOf(report, pair.b).label;
    TextTable table({"layer", "expert", "chosen " + a, "chosen " + b, "share " + a, "share " + b,
                     fmt::format("log2 {}/{}", b, a),
                     fmt::format("{:g} %", 100 * (1 - pair.options.alpha)), "score", "p adj."});
    for (std::size_t i = 0; i < std::min(report.top, pair.experts.size()); ++i) {
        const ShiftedExpert& expert = pair.experts[i];
        table.add({layerName(expert.layer, expert.mtp), count(expert.expert), count(expert.countA),
                   count(expert.countB), percentText(expert.shareA), percentText(expert.shareB),
                   numberText(expert.log2Ratio),
                   rangeText(expert.log2Ratio95.low, expert.log2Ratio95.high),
                   numberText(expert.score), numberText(expert.pAdjusted)});
    }
    return fmt::format(
               "Experts that shifted, {} of {} beyond chance in the main layers (p adjusted over "
               "all of them; score: above 0 more in {})\n",
               pair.expertsBeyond, pair.expertsTested, b) +
           table.text() + "\n";
}

std::string firstDifference(const AlignedComparison& value) {
    if (!value.first) return "Every choice of experts is the same.\n";
    return fmt::format(
        "Routing first parts in answer {} at position {}, layer {}; choice margins there {} and "
        "{}.\n",
        value.first->answer + 1, value.first->position, value.first->layer,
        numberText(static_cast<double>(value.first->marginA)),
        numberText(static_cast<double>(value.first->marginB)));
}

std::string textDifferences(const AlignedComparison& value) {
    std::string text = fmt::format("{} of {} generated tokens stand before the texts part.\n",
                                   value.equalTokens, value.answerTokens);
    for (std::size_t i = 0; i < std::min<std::size_t>(value.texts.size(), 5); ++i) {
        const TextDivergence& differs = value.texts[i];
        text += fmt::format("Answer {} parts at its token {} (ids {} and {}, -1: the end)\n",
                            differs.answer + 1, differs.seq + 1, differs.idA, differs.idB);
    }
    return text;
}

std::string nextTokenText(const AlignedComparison& value) {
    return fmt::format(
        "Next token, n = {}: KL(A || B) {} nats in the mean, {} at most; another most "
        "probable token at {} positions.\n",
        value.klTokens, numberText(value.meanKl), numberText(value.maxKl), value.topChanged);
}

std::string alignedText(const AlignedComparison& value, bool forced) {
    if (value.n == 0) return {};
    std::string text = fmt::format(
        "{}, position by position: n = {} in {} layers. Router saturation {} (chance {}), gate "
        "mass moved {} of {}; {} tokens with the same experts in every layer.\n",
        forced ? "A's tokens through both sides" : "The same tokens", value.n, value.layers.size(),
        numberText(value.saturation), numberText(value.chance), numberText(value.massMoved),
        numberText(value.mass), value.identicalTokens);
    text += firstDifference(value) + (forced ? nextTokenText(value) : textDifferences(value));
    TextTable table({"layer", "n", "saturation", "mass moved", "changed tokens"});
    for (const AlignedLayer& layer : value.layers) {
        table.add({count(layer.layer), count(value.n), numberText(layer.saturation),
                   numberText(layer.massMoved), count(layer.changedTokens)});
    }
    return text + table.text() + "\n";
}

}  // namespace

std::string compareTables(const CompareReport& report) {
    std::string text;
    for (const PairComparison& pair : report.comparison.pairs) {
        text += verdictText(report, pair);
    }
    text += '\n';
    text += runsList(report);
    text += '\n';
    text += figuresTables(report);
    for (std::size_t i = 0; i < report.comparison.pairs.size(); ++i) {
        const PairComparison& pair = report.comparison.pairs[i];
        if (report.comparison.pairs.size() > 1) {
            text += fmt::format("---- {} and {}\n\n", runOf(report, pair.a).label,
                                runOf(report, pair.b).label);
        }
        text += strataTable(report, pair) + layersTable(report, pair) + expertsTable(report, pair);
        if (report.aligned[i]) text += alignedText(*report.aligned[i], report.forced);
    }
    while (text.ends_with("\n\n")) text.pop_back();
    return text;
}

}  // namespace gatescope::cli
