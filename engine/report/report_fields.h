// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <type_traits>

#include "engine/report/report_value.h"

namespace gatescope::report_fields {

/// `Value` as an archive has it: const for one that writes.
template <class Archive, class Value>
using Of = std::conditional_t<Archive::kWrites, const Value, Value>;

// The words of an enumeration, by its numbers.
inline constexpr std::array<std::string_view, 3> kDetails{"none", "hashes", "texts"};
inline constexpr std::array<std::string_view, 2> kSources{"sessions", "loads"};
inline constexpr std::array<std::string_view, 4> kPhases{"prefill", "decode", "draft", "rejected"};
inline constexpr std::array<std::string_view, 2> kDraftSources{"mtp", "lookup"};
inline constexpr std::array<std::string_view, 2> kUnits{"block", "answer"};
inline constexpr std::array<std::string_view, 2> kPolicies{"eplb", "gatescope"};
inline constexpr std::array<std::string_view, 5> kVerdicts{"ordinary", "hot", "cold", "not_seen",
                                                           "dead"};
inline constexpr std::array<std::string_view, 5> kOutcomes{
    "no_tokens", "too_few_units", "no_difference", "difference", "self_difference"};

inline std::span<const std::string_view> wordsOf(PromptDetail) {
    return kDetails;
}
inline std::span<const std::string_view> wordsOf(ReportSource) {
    return kSources;
}
inline std::span<const std::string_view> wordsOf(Phase) {
    return kPhases;
}
inline std::span<const std::string_view> wordsOf(DraftSource) {
    return kDraftSources;
}
inline std::span<const std::string_view> wordsOf(PermutedUnit) {
    return kUnits;
}
inline std::span<const std::string_view> wordsOf(PlacementPolicy) {
    return kPolicies;
}
inline std::span<const std::string_view> wordsOf(LoadVerdict) {
    return kVerdicts;
}
inline std::span<const std::string_view> wordsOf(ComparisonVerdict::Kind) {
    return kOutcomes;
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ReportedAnswer>& value) {
    archive("turn", value.turn);
    archive("prompt_tokens", value.promptTokens);
    archive("answer_tokens", value.answerTokens);
    archive("settings", value.settings);
    archive("seed", value.seed);
    archive("finish", value.finish);
    archive("prompt_hash", value.promptHash);
    archive("prompt", value.prompt);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ReportedSession>& value) {
    archive("id", value.id);
    archive("title", value.title);
    archive("created_ms", value.createdMs);
    archive("device", value.device);
    archive("precision", value.precision);
    archive("answers", value.answers);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, RoutingShape>& value) {
    archive("layers", value.layers);
    archive("mtp_layer", value.mtpLayer);
    archive("total_layers", value.totalLayers);
    archive("experts", value.experts);
    archive("top_k", value.topK);
    archive("groups", value.groups);
    archive("topk_groups", value.topkGroups);
    archive("has_bias", value.hasBias);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ReportedModel>& value) {
    archive("name", value.name);
    archive("fingerprint", value.fingerprint);
    archive("config_json", value.configJson);
    archive("quantisation", value.quantisation);
    archive("shape", value.shape);
    archive("expert_bytes", value.expertBytes);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ReportedBiasRow>& value) {
    archive("layer", value.layer);
    archive("mtp", value.mtp);
    archive("tokens", value.tokens);
    archive("bias_decided", value.biasDecided);
    archive("bias", value.bias);
    archive("deviation", value.deviation);
    archive("largest", value.largest);
    archive("raised", value.raised);
    archive("lowered", value.lowered);
    archive("load_correlation", value.loadCorrelation);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ExpertPair>& value) {
    archive("first", value.first);
    archive("second", value.second);
    archive("count", value.count);
    archive("expected_count", value.expectedCount);
    archive("lift", value.lift);
    archive("phi", value.phi);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ReportedPairs>& value) {
    archive("layer", value.layer);
    archive("mtp", value.mtp);
    archive("tokens", value.tokens);
    archive("expected_lift", value.expectedLift);
    archive("tested", value.tested);
    archive("pairs", value.pairs);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, CacheUse>& value) {
    archive("positions", value.positions);
    archive("bytes_per_position", value.bytesPerPosition);
    archive("used", value.used);
    archive("reserved", value.reserved);
    archive("mtp_positions", value.mtpPositions);
    archive("mtp_used", value.mtpUsed);
    archive("mtp_reserved", value.mtpReserved);
    archive("mtp_bytes_per_position", value.mtpBytesPerPosition);
    archive("expanded_bytes_per_position", value.expandedBytesPerPosition);
    archive("max_positions", value.maxPositions);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ReportedCache>& value) {
    archive("answers", value.answers);
    archive("largest", value.largest);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Interval>& value) {
    archive("low", value.low);
    archive("high", value.high);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, DraftPosition>& value) {
    archive("accepted", value.accepted);
    archive("asked", value.asked);
    archive("reached", value.reached);
    archive("unconditional", value.unconditional);
    archive("unconditional95", value.unconditional95);
    archive("conditional", value.conditional);
    archive("conditional95", value.conditional95);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, SpeculationRates>& value) {
    archive("steps", value.steps);
    archive("drafted", value.drafted);
    archive("accepted", value.accepted);
    archive("rate", value.rate);
    archive("rate95", value.rate95);
    archive("length", value.length);
    archive("length_without_bonus", value.lengthWithoutBonus);
    archive("histogram", value.histogram);
    archive("positions", value.positions);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, LayerReads>& value) {
    archive("layer", value.layer);
    archive("steps", value.steps);
    archive("distinct", value.distinct);
    archive("plain", value.plain);
    archive("uniform", value.uniform);
    archive("wasted", value.wasted);
    archive("wasted_share", value.wastedShare);
    archive("ratio", value.ratio);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, SpeculationGain>& value) {
    archive("plain_steps", value.plainSteps);
    archive("verify_steps", value.verifySteps);
    archive("plain_tokens_per_second", value.plainTokensPerSecond);
    archive("tokens_per_second", value.tokensPerSecond);
    archive("gain", value.gain);
    archive("break_even", value.breakEven);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, TimeSummary>& value) {
    archive("n", value.n);
    archive("mean_ns", value.meanNs);
    archive("median_ns", value.medianNs);
    archive("median_n", value.medianN);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, VerifyCost>& value) {
    archive("source", value.source);
    archive("depth", value.depth);
    archive("accepted", value.accepted);
    archive("length", value.length);
    archive("total", value.total);
    archive("draft", value.draft);
    archive("verify", value.verify);
    archive("draft_cost", value.draftCost);
    archive("verify_cost", value.verifyCost);
    archive("gain", value.gain);
    archive("equal_acceptance", value.equalAcceptance);
    archive("break_even", value.breakEven);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ReportedSpeculation>& value) {
    archive("all", value.all);
    archive("by_source", value.bySource);
    archive("reads", value.reads);
    archive("gain", value.gain);
    archive("costs", value.costs);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ComparisonOptions>& value) {
    archive("phase_mask", value.phases);
    archive("after_common_prefix", value.afterCommonPrefix);
    archive("block_tokens", value.blockTokens);
    archive("permutations", value.permutations);
    archive("seed", value.seed);
    archive("alpha", value.alpha);
    archive("threads", value.threads);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, PermutationScheme>& value) {
    archive("units_a", value.unitsA);
    archive("units_b", value.unitsB);
    archive("assignments", value.assignments);
    archive("exact", value.exact);
    archive("permutations", value.permutations);
    archive("smallest_p", value.smallestP);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, JensenShannon>& value) {
    archive("count_a", value.countA);
    archive("count_b", value.countB);
    archive("equal", value.equal);
    archive("weighted", value.weighted);
    archive("bias", value.bias);
    archive("corrected", value.corrected);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, SelfComparison>& value) {
    archive("tokens_first", value.tokensFirst);
    archive("tokens_second", value.tokensSecond);
    archive("divergence", value.divergence);
    archive("p_value", value.pValue);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, LayerComparison>& value) {
    archive("layer", value.layer);
    archive("mtp", value.mtp);
    archive("tokens_a", value.tokensA);
    archive("tokens_b", value.tokensB);
    archive("divergence", value.divergence);
    archive("stratified", value.stratified);
    archive("null_mean", value.nullMean);
    archive("null_p95", value.nullP95);
    archive("p_value", value.pValue);
    archive("holm", value.holm);
    archive("q_value", value.qValue);
    archive("total_variation", value.totalVariation);
    archive("cosine", value.cosine);
    archive("spearman", value.spearman);
    archive("max_vio_a", value.maxVioA);
    archive("max_vio_b", value.maxVioB);
    archive("self_a", value.selfA);
    archive("self_b", value.selfB);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ShiftedExpert>& value) {
    archive("layer", value.layer);
    archive("mtp", value.mtp);
    archive("expert", value.expert);
    archive("count_a", value.countA);
    archive("count_b", value.countB);
    archive("share_a", value.shareA);
    archive("share_b", value.shareB);
    archive("log2ratio", value.log2Ratio);
    archive("log2ratio95", value.log2Ratio95);
    archive("score", value.score);
    archive("p_adjusted", value.pAdjusted);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ComparisonVerdict>& value) {
    archive("kind", value.kind);
    archive("tokens_a", value.tokensA);
    archive("tokens_b", value.tokensB);
    archive("layers_tested", value.layersTested);
    archive("layers_beyond", value.layersBeyond);
    archive("strongest_layer", value.strongestLayer);
    archive("strongest", value.strongest);
    archive("self_layers_a", value.selfLayersA);
    archive("self_layers_b", value.selfLayersB);
    archive("smallest_p", value.smallestP);
    archive("alpha", value.alpha);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ComparisonStratum>& value) {
    archive("phase", value.phase);
    archive("special", value.special);
    archive("tokens_a", value.tokensA);
    archive("tokens_b", value.tokensB);
    archive("units_a", value.unitsA);
    archive("units_b", value.unitsB);
    archive("tested", value.tested);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, PairComparison>& value) {
    archive("a", value.a);
    archive("b", value.b);
    archive("options", value.options);
    archive("unit", value.unit);
    archive("block_tokens", value.blockTokens);
    archive("scheme", value.scheme);
    archive("mtp_scheme", value.mtpScheme);
    archive("self_scheme_a", value.selfSchemeA);
    archive("self_scheme_b", value.selfSchemeB);
    archive("prefix_tokens", value.prefixTokens);
    archive("strata", value.strata);
    archive("shape", value.shape);
    archive("load_a", value.loadA);
    archive("load_b", value.loadB);
    archive("layers", value.layers);
    archive("experts", value.experts);
    archive("experts_tested", value.expertsTested);
    archive("experts_beyond", value.expertsBeyond);
    archive("verdict", value.verdict);
    archive("difference", value.difference);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, RunFigures>& value) {
    archive("answers", value.answers);
    archive("prompt_tokens", value.promptTokens);
    archive("answer_tokens", value.answerTokens);
    archive("routed_tokens", value.routedTokens);
    archive("rejected_tokens", value.rejectedTokens);
    archive("max_vio", value.maxVio);
    archive("max_vio_null", value.maxVioNull);
    archive("cv", value.cv);
    archive("gini", value.gini);
    archive("entropy", value.entropy);
    archive("median_margin", value.medianMargin);
    archive("bias_decided", value.biasDecided);
    archive("speculation", value.speculation);
    archive("prefill_tokens_per_second", value.prefillTokensPerSecond);
    archive("decode_tokens_per_second", value.decodeTokensPerSecond);
    archive("cache_positions", value.cachePositions);
    archive("cache_used", value.cacheUsed);
    archive("cache_dtype", value.cacheDtype);
    archive("mean_log_probability", value.meanLogProbability);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, ReportedComparison>& value) {
    archive("sessions_a", value.sessionsA);
    archive("sessions_b", value.sessionsB);
    archive("pair", value.pair);
    archive("figures_a", value.figuresA);
    archive("figures_b", value.figuresB);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, PredictedBalance>& value) {
    archive("sglang", value.sglang);
    archive("vllm", value.vllm);
    archive("vllm_peak_ratio", value.vllmPeakRatio);
    archive("tensor_rt", value.tensorRt);
    archive("straggler_cost", value.stragglerCost);
    archive("straggler_time", value.stragglerTime);
    archive("gpu_loads", value.gpuLoads);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, PlacedLayers>& value) {
    archive("layers", value.layers);
    archive("total", value.total);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, Placement>& value) {
    archive("layers", value.layers);
    archive("experts", value.experts);
    archive("slots", value.slots);
    archive("gpus", value.gpus);
    archive("nodes", value.nodes);
    archive("physical_to_logical", value.physicalToLogical);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, BootstrapInterval>& value) {
    archive("value", value.value);
    archive("low", value.low);
    archive("high", value.high);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, HeldOutScore>& value) {
    archive("planned", value.planned);
    archive("held_out", value.heldOut);
}

template <class Archive>
void fields(Archive& archive, Of<Archive, PlacementPlan>& value) {
    archive("source", value.source);
    archive("format", value.format);
    archive("policy", value.policy);
    archive("blocks", value.blocks);
    archive("choices", value.choices);
    archive("groups", value.groups);
    archive("node_limit", value.nodeLimit);
    archive("from_sessions", value.fromSessions);
    archive("layers", value.layers);
    archive("placement", value.placement);
    archive("before_is_current", value.beforeIsCurrent);
    archive("before", value.before);
    archive("after", value.after);
    archive("held_out", value.heldOut);
    archive("held_out_eplb", value.heldOutEplb);
    archive("moved", value.moved);
    archive("expert_bytes", value.expertBytes);
    archive("gpu_bytes", value.gpuBytes);
    archive("migration_bytes", value.migrationBytes);
}

/// Without load and balance, which are written together, layer by layer.
template <class Archive>
void fields(Archive& archive, Of<Archive, ReportValue>& value) {
    archive("source", value.source);
    archive("source_name", value.sourceName);
    archive("source_format", value.sourceFormat);
    archive("program", value.program);
    archive("created_ms", value.createdMs);
    archive("prompts", value.prompts);
    archive("model", value.model);
    archive("sessions", value.sessions);
    archive("changed_routing_answers", value.changedRoutingAnswers);
    archive("phase_mask", value.phases);
    archive("false_discovery_rate", value.falseDiscoveryRate);
    archive("bias", value.bias);
    archive("pairs", value.pairs);
    archive("cache", value.cache);
    archive("speculation", value.speculation);
    archive("comparison", value.comparison);
    archive("placement", value.placement);
}

}  // namespace gatescope::report_fields
