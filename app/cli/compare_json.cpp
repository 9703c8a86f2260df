// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>

#include "app/cli/compare_report.h"
#include "app/cli/speculation_report.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

/// JSON has neither NaN nor infinity.
Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json();
}

/// A statistic of so many observations.
Json statistic(double value, std::int64_t n) {
    return {{"value", number(value)}, {"n", n}};
}

/// A statistic of both sides: n is what it is made of in all.
Json statistic(double value, std::int64_t a, std::int64_t b) {
    return {{"value", number(value)}, {"n", a + b}, {"n_a", a}, {"n_b", b}};
}

Json rangeJson(const Interval& interval) {
    return {number(interval.low), number(interval.high)};
}

Json figuresJson(const RunFigures& run, const RoutingShape& shape) {
    const std::int64_t n = run.routedTokens;
    const auto layers = static_cast<std::int64_t>(shape.layers.size());
    Json maxVio = statistic(run.maxVio, n);
    maxVio["null_mean"] = number(run.maxVioNull);
    return {{"answers", run.answers},
            {"prompt_tokens", run.promptTokens},
            {"answer_tokens", run.answerTokens},
            {"routed_tokens", n},
            {"rejected_tokens", run.rejectedTokens},
            {"max_vio", std::move(maxVio)},
            {"cv", statistic(run.cv, n)},
            {"gini", statistic(run.gini, n)},
            {"entropy", statistic(run.entropy, n)},
            {"median_margin", statistic(run.medianMargin, n * layers)},
            {"bias_decided", statistic(run.biasDecided, n * layers * shape.topK)},
            {"speculation",
             ratesJson(run.speculation, static_cast<int>(run.speculation.positions.size()))},
            {"prefill_tokens_per_second", number(run.prefillTokensPerSecond)},
            {"decode_tokens_per_second", number(run.decodeTokensPerSecond)},
            {"cache_positions", run.cachePositions},
            {"cache_bytes", run.cacheUsed},
            {"cache_dtype", run.cacheDtype},
            {"mean_log_probability", statistic(run.meanLogProbability, run.answerTokens)}};
}

Json runsJson(const CompareReport& report) {
    Json out = Json::array();
    for (std::size_t i = 0; i < report.comparison.runs.size(); ++i) {
        const ComparedRun& run = report.comparison.runs[i];
        Json json = {{"label", run.label},
                     {"sessions", report.sides[i]},
                     {"title", run.title},
                     {"model", run.modelName},
                     {"fingerprint", run.modelFingerprint},
                     {"device", run.device},
                     {"precision", run.precision},
                     {"settings", run.settings},
                     {"interventions", run.interventions}};
        json.update(figuresJson(report.comparison.figures[i], run.shape));
        out.push_back(std::move(json));
    }
    return out;
}

Json schemeJson(const PermutationScheme& scheme) {
    return {{"units_a", scheme.unitsA},
            {"units_b", scheme.unitsB},
            {"assignments", number(scheme.assignments)},
            {"exact", scheme.exact},
            {"permutations", scheme.permutations},
            {"smallest_p_value", number(scheme.smallestP)}};
}

Json testJson(const PairComparison& pair) {
    return {{"unit", pair.unit == PermutedUnit::Answer ? "answer" : "block"},
            {"block_tokens", pair.unit == PermutedUnit::Answer ? Json() : Json(pair.blockTokens)},
            {"seed", pair.options.seed},
            {"alpha", pair.options.alpha},
            {"main", schemeJson(pair.scheme)},
            {"mtp", schemeJson(pair.mtpScheme)},
            {"self_a", schemeJson(pair.selfSchemeA)},
            {"self_b", schemeJson(pair.selfSchemeB)}};
}

Json verdictJson(const CompareReport& report, const PairComparison& pair) {
    const ComparisonVerdict& verdict = pair.verdict;
    return {{"kind", verdictName(verdict.kind)},
            {"text", verdictText(report, pair)},
            {"n_a", verdict.tokensA},
            {"n_b", verdict.tokensB},
            {"layers_tested", verdict.layersTested},
            {"layers_beyond", verdict.layersBeyond},
            {"strongest_layer", verdict.strongestLayer < 0 ? Json() : Json(verdict.strongestLayer)},
            {"strongest_bits", statistic(verdict.strongest, verdict.tokensA, verdict.tokensB)},
            {"self_layers_a", verdict.selfLayersA},
            {"self_layers_b", verdict.selfLayersB},
            {"smallest_p_value", number(verdict.smallestP)},
            {"alpha", verdict.alpha}};
}

Json strataJson(const PairComparison& pair) {
    constexpr const char* kNames[] = {"prefill", "decode", "draft"};
    Json out = Json::array();
    for (const ComparisonStratum& stratum : pair.strata) {
        out.push_back({{"phase", kNames[static_cast<std::size_t>(stratum.phase)]},
                       {"special", stratum.special},
                       {"n_a", stratum.tokensA},
                       {"n_b", stratum.tokensB},
                       {"units_a", stratum.unitsA},
                       {"units_b", stratum.unitsB},
                       {"tested", stratum.tested}});
    }
    return out;
}

Json selfJson(const SelfComparison& self) {
    Json out = statistic(self.divergence.corrected, self.tokensFirst, self.tokensSecond);
    out["weighted"] = number(self.divergence.weighted);
    out["p_value"] = number(self.pValue);
    return out;
}

Json layerJson(const LayerComparison& layer) {
    const auto both = [&layer](double value) {
        return statistic(value, layer.tokensA, layer.tokensB);
    };
    Json tested = both(layer.stratified);
    tested["null_mean"] = number(layer.nullMean);
    tested["null_95"] = number(layer.nullP95);
    tested["p_value"] = number(layer.pValue);
    tested["p_value_holm"] = number(layer.holm);
    tested["q_value"] = number(layer.qValue);
    Json weighted = both(layer.divergence.weighted);
    weighted["bias"] = number(layer.divergence.bias);
    weighted["corrected"] = number(layer.divergence.corrected);
    return {{"layer", layer.layer},
            {"mtp", layer.mtp},
            {"n_a", layer.tokensA},
            {"n_b", layer.tokensB},
            {"choices_a", layer.divergence.countA},
            {"choices_b", layer.divergence.countB},
            {"jsd_equal_bits", both(layer.divergence.equal)},
            {"jsd_weighted_bits", std::move(weighted)},
            {"jsd_stratified_bits", std::move(tested)},
            {"total_variation", both(layer.totalVariation)},
            {"cosine", both(layer.cosine)},
            {"spearman", both(layer.spearman)},
            {"max_vio_a", statistic(layer.maxVioA, layer.tokensA)},
            {"max_vio_b", statistic(layer.maxVioB, layer.tokensB)},
            {"self_a_bits", selfJson(layer.selfA)},
            {"self_b_bits", selfJson(layer.selfB)}};
}

Json expertJson(const ShiftedExpert& expert) {
    Json ratio = statistic(expert.log2Ratio, expert.countA, expert.countB);
    ratio["interval"] = rangeJson(expert.log2Ratio95);
    Json score = statistic(expert.score, expert.countA, expert.countB);
    score["p_value"] = number(expert.pAdjusted);
    return {{"layer", expert.layer},
            {"mtp", expert.mtp},
            {"expert", expert.expert},
            {"chosen_a", expert.countA},
            {"chosen_b", expert.countB},
            {"share_a", number(expert.shareA)},
            {"share_b", number(expert.shareB)},
            {"log2_ratio", std::move(ratio)},
            {"score", std::move(score)}};
}

Json alignedJson(const AlignedComparison& value) {
    Json layers = Json::array();
    for (const AlignedLayer& layer : value.layers) {
        layers.push_back({{"layer", layer.layer},
                          {"saturation", statistic(layer.saturation, value.n)},
                          {"mass_moved", statistic(layer.massMoved, value.n)},
                          {"changed_tokens", layer.changedTokens}});
    }
    Json first;
    if (value.first) {
        first = {{"answer", value.first->answer},
                 {"position", value.first->position},
                 {"token_id", value.first->tokenId},
                 {"layer", value.first->layer},
                 {"margin_a", number(static_cast<double>(value.first->marginA))},
                 {"margin_b", number(static_cast<double>(value.first->marginB))}};
    }
    Json texts = Json::array();
    for (const TextDivergence& text : value.texts) {
        texts.push_back({{"answer", text.answer},
                         {"seq", text.seq},
                         {"position", text.position},
                         {"id_a", text.idA},
                         {"id_b", text.idB}});
    }
    return {{"n", value.n},
            {"chance", number(value.chance)},
            {"saturation", statistic(value.saturation, value.n)},
            {"mass_moved", statistic(value.massMoved, value.n)},
            {"mass", statistic(value.mass, value.n)},
            {"identical_tokens", value.identicalTokens},
            {"first_difference", std::move(first)},
            {"answer_tokens", value.answerTokens},
            {"equal_tokens", value.equalTokens},
            {"texts", std::move(texts)},
            {"mean_kl_nats", statistic(value.meanKl, value.klTokens)},
            {"max_kl_nats", statistic(value.maxKl, value.klTokens)},
            {"top_changed", value.topChanged},
            {"layers", std::move(layers)}};
}

}  // namespace

Json compareJson(const CompareReport& report) {
    Json pairs = Json::array();
    for (std::size_t i = 0; i < report.comparison.pairs.size(); ++i) {
        const PairComparison& pair = report.comparison.pairs[i];
        Json layers = Json::array();
        for (const LayerComparison& layer : pair.layers) layers.push_back(layerJson(layer));
        Json experts = Json::array();
        for (const ShiftedExpert& expert : pair.experts) experts.push_back(expertJson(expert));
        pairs.push_back(
            {{"a", report.comparison.runs[static_cast<std::size_t>(pair.a)].label},
             {"b", report.comparison.runs[static_cast<std::size_t>(pair.b)].label},
             {"verdict", verdictJson(report, pair)},
             {"test", testJson(pair)},
             {"prefix_tokens", pair.prefixTokens},
             {"strata", strataJson(pair)},
             {"layers", std::move(layers)},
             {"experts_tested", pair.expertsTested},
             {"experts_beyond", pair.expertsBeyond},
             {"experts", std::move(experts)},
             {"aligned_on_tokens_of_a", report.forced},
             {"aligned", report.aligned[i] ? alignedJson(*report.aligned[i]) : Json()}});
    }
    return {{"file", report.file}, {"runs", runsJson(report)}, {"pairs", std::move(pairs)}};
}

}  // namespace gatescope::cli
