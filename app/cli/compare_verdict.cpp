// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/cli/compare_report.h"
#include "app/cli/number_text.h"

namespace gatescope::cli {
namespace {

std::string counted(std::int64_t count, const std::string& thing) {
    return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

/// "n = 212 and 198 tokens, 6 and 6 blocks of 32 or more".
std::string sizeText(const PairComparison& pair) {
    const std::string tokens =
        fmt::format("n = {} and {} tokens", pair.verdict.tokensA, pair.verdict.tokensB);
    if (pair.unit == PermutedUnit::Answer) {
        return fmt::format("{}, {} and {} whole answers", tokens, pair.scheme.unitsA,
                           pair.scheme.unitsB);
    }
    return fmt::format("{}, {} and {} blocks of about {}", tokens, pair.scheme.unitsA,
                       pair.scheme.unitsB, pair.blockTokens);
}

std::string levelText(const PairComparison& pair) {
    return fmt::format("Holm's correction over {}, level {:g}",
                       counted(pair.verdict.layersTested, "layer"), pair.verdict.alpha);
}

/// How far chance alone takes a layer beyond its mean, in 19 of 20 permutations: the worst layer.
double chanceReach(const PairComparison& pair) {
    double most = 0;
    for (const LayerComparison& layer : pair.layers) {
        if (!layer.mtp) most = std::max(most, layer.nullP95 - layer.nullMean);
    }
    return most;
}

std::string differenceText(const CompareReport& report, const PairComparison& pair) {
    const ComparisonVerdict& verdict = pair.verdict;
    const auto& runs = report.comparison.runs;
    std::string text = fmt::format(
        "{} of {} differ beyond chance between {} and {} at {} ({}); most in layer {}, {} bit more "
        "than exchanged labels give.",
        verdict.layersBeyond, counted(verdict.layersTested, "layer"),
        runs[static_cast<std::size_t>(pair.a)].label, runs[static_cast<std::size_t>(pair.b)].label,
        sizeText(pair), levelText(pair), verdict.strongestLayer, numberText(verdict.strongest));
    if (verdict.kind != ComparisonVerdict::Kind::SelfDifference) return text;
    return text + fmt::format(
                      " But the halves of a run differ from each other in as many ({} and {} "
                      "layers): this cannot be put down to what the two runs are.",
                      verdict.selfLayersA, verdict.selfLayersB);
}

std::string headline(const CompareReport& report, const PairComparison& pair) {
    using Kind = ComparisonVerdict::Kind;
    const ComparisonVerdict& verdict = pair.verdict;
    const auto& runs = report.comparison.runs;
    const std::string& a = runs[static_cast<std::size_t>(pair.a)].label;
    const std::string& b = runs[static_cast<std::size_t>(pair.b)].label;
    switch (verdict.kind) {
        case Kind::NoTokens:
            return fmt::format(
                "{} and {} cannot be compared: there is no phase in which both routed tokens that "
                "count.",
                a, b);
        case Kind::TooFewUnits: {
            const std::string smallest =
                std::isnan(verdict.smallestP)
                    ? std::string("allow no test")
                    : fmt::format("allow no p below {:.2g}", verdict.smallestP);
            return fmt::format("Too little to say whether {} and {} differ: {} {} ({}).", a, b,
                               sizeText(pair), smallest, levelText(pair));
        }
        case Kind::NoDifference:
            return fmt::format(
                "No layer differs beyond chance between {} and {} at {} ({}). That does not show "
                "them alike: chance alone reaches {} bit above its mean.",
                a, b, sizeText(pair), levelText(pair), numberText(chanceReach(pair)));
        case Kind::Difference:
        case Kind::SelfDifference:
            return differenceText(report, pair);
    }
    return {};
}

/// What else is not the same in the two runs, so that nobody takes it for the prompts' doing.
std::string conditionsText(const ComparedRun& a, const ComparedRun& b) {
    std::vector<std::string> other;
    if (a.modelFingerprint != b.modelFingerprint) other.emplace_back("model");
    if (a.device != b.device) other.emplace_back("device");
    if (a.precision != b.precision) other.emplace_back("precision");
    if (a.settings != b.settings) other.emplace_back("settings");
    if (a.interventions != b.interventions) other.emplace_back("interventions");
    if (other.empty()) return {};
    return fmt::format("{} and {} were not run alike: different {}.\n", a.label, b.label,
                       fmt::join(other, ", "));
}

/// Of the first half against the second.
std::string selfText(const ComparedRun& run, const PermutationScheme& scheme, int layers,
                     const ComparisonVerdict& verdict) {
    if (!(scheme.smallestP * verdict.layersTested <= verdict.alpha)) {
        return fmt::format("{} is too short to be compared with itself.\n", run.label);
    }
    if (layers == 0) return {};
    return fmt::format("{}'s first half differs from its second in {} of {}.\n", run.label, layers,
                       counted(verdict.layersTested, "layer"));
}

}  // namespace

std::string verdictName(ComparisonVerdict::Kind kind) {
    switch (kind) {
        case ComparisonVerdict::Kind::NoTokens:
            return "no_tokens";
        case ComparisonVerdict::Kind::TooFewUnits:
            return "too_few_units";
        case ComparisonVerdict::Kind::NoDifference:
            return "no_difference";
        case ComparisonVerdict::Kind::Difference:
            return "difference";
        case ComparisonVerdict::Kind::SelfDifference:
            return "self_difference";
    }
    return {};
}

std::string verdictText(const CompareReport& report, const PairComparison& pair) {
    const ComparedRun& a = report.comparison.runs[static_cast<std::size_t>(pair.a)];
    const ComparedRun& b = report.comparison.runs[static_cast<std::size_t>(pair.b)];
    const ComparisonVerdict& verdict = pair.verdict;
    std::string text = headline(report, pair) + "\n";
    if (verdict.kind != ComparisonVerdict::Kind::NoTokens) {
        if (pair.expertsBeyond > 0) {
            text += fmt::format("{} of {} shifted (family-wise, level {:g}).\n", pair.expertsBeyond,
                                counted(pair.expertsTested, "expert"), verdict.alpha);
        }
        text += selfText(a, pair.selfSchemeA, verdict.selfLayersA, verdict);
        text += selfText(b, pair.selfSchemeB, verdict.selfLayersB, verdict);
    }
    return text + conditionsText(a, b);
}

}  // namespace gatescope::cli
