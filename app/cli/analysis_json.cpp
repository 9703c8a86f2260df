// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>

#include "app/cli/analysis_report.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

/// JSON has neither NaN nor infinity.
Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json();
}

Json metricJson(const BalanceMetric& metric) {
    return {{"value", number(metric.value)},
            {"null_mean", number(metric.nullMean)},
            {"null_95", number(metric.nullP95)},
            {"excess", number(metric.excess)}};
}

Json balanceJson(const BalanceRow& row) {
    return {{"n", row.tokens},
            {"max_vio", metricJson(row.maxVio)},
            {"n_steps", row.steps},
            {"step_max_vio", metricJson(row.stepMaxVio)},
            {"min_vio", metricJson(row.minVio)},
            {"avg_vio", metricJson(row.avgVio)},
            {"cv", metricJson(row.cv)},
            {"gini", metricJson(row.gini)},
            {"entropy", metricJson(row.entropy)},
            {"effective_experts", metricJson(row.effectiveExperts)},
            {"hot", row.hot},
            {"cold", row.cold},
            {"not_seen", row.notSeen},
            {"dead", row.dead}};
}

Json biasJson(const BiasRowDiagnostics* row) {
    if (row == nullptr) return {};
    return {{"n", row->scored},
            {"decided_fraction", number(row->biasDecidedScored)},
            {"within_groups", number(row->withinGroups)},
            {"group_flips", number(row->groupFlips)},
            {"affinity_cost", number(row->affinityCost)},
            {"max_vio_without", number(row->maxVioWithout)},
            {"max_vio_with", number(row->maxVioWith)},
            {"balance_gain", number(row->balanceGain)},
            {"median_margin", number(row->margin.median)},
            {"ties", row->ties}};
}

Json nextLayerJson(const NextLayerSummary& next) {
    const ShiftBaseline& shifted = next.shifted;
    return {{"layer", next.nextLayer},
            {"n", next.n},
            {"mutual_information_nats", number(next.mutualInformation)},
            {"bias_nats", number(next.mutualInformationBias)},
            {"shifted",
             {{"n", shifted.n},
              {"shifts", shifted.shifts},
              {"mutual_information_nats", number(shifted.observed)},
              {"null_mean", number(shifted.mean)},
              {"null_95", number(shifted.p95)},
              {"p_value", number(shifted.pValue)}}},
            {"n_recall", next.predicted},
            {"recall", number(next.recall)},
            {"recall_load_alone", number(next.popularRecall)},
            {"recall_chance", number(next.chanceRecall)}};
}

Json cacheJson(const ExpertReadsValue& reads) {
    Json sizes = Json::array();
    for (const int size : cacheSizes(reads.experts())) {
        sizes.push_back({{"experts", size},
                         {"lru", number(reads.lruHitRate(size))},
                         {"lfu", number(reads.lfuHitRate(size))},
                         {"pinned_hindsight", number(reads.pinnedHitRate(size))},
                         {"pinned_first_half", number(reads.forecast.hitRate(size))}});
    }
    return {{"n", reads.n},
            {"n_steps", reads.steps},
            {"n_steps_first_half", reads.forecast.stepsLearned},
            {"n_second_half", reads.forecast.n},
            {"hit_rates", std::move(sizes)}};
}

Json mainCacheJson(const AnalysisReport& report) {
    Json out = Json::array();
    for (const int size : cacheSizes(static_cast<int>(report.mainReads.size()) - 1)) {
        const ExpertReadsTotal& total = report.mainReads[static_cast<std::size_t>(size)];
        out.push_back({{"experts_per_layer", size},
                       {"n", total.n},
                       {"lru", number(total.lruHitRate())},
                       {"lfu", number(total.lfuHitRate())},
                       {"pinned_hindsight", number(total.pinnedHitRate())},
                       {"n_second_half", total.forecastN},
                       {"pinned_first_half", number(total.forecastHitRate())}});
    }
    return out;
}

Json halfJson(const HalfEvidence& half) {
    return {{"n", half.tokens},
            {"chosen", half.chosen},
            {"lift", number(half.lift)},
            {"ratio", number(half.ratio)},
            {"p_value", half.pValue},
            {"top_domain", half.topDomain},
            {"significant", half.significant},
            {"holds", half.holds}};
}

Json vocabularyJson(const std::vector<VocabularyEntry>& entries) {
    Json out = Json::array();
    for (const VocabularyEntry& entry : entries) {
        out.push_back({{"id", entry.id},
                       {"text", entry.bytes},
                       {"n", entry.tokens},
                       {"chosen", entry.chosen},
                       {"share", entry.share},
                       {"shrunk", entry.shrunk},
                       {"lift", entry.lift}});
    }
    return out;
}

const std::vector<VocabularyEntry>& vocabulary(const SpecialisationValue& value, VocabularyKey key,
                                               int row, int expert) {
    return value.vocabulary[static_cast<std::size_t>(
        key)][static_cast<std::size_t>(row) * static_cast<std::size_t>(value.shape.experts) +
              static_cast<std::size_t>(expert)];
}

Json specialistJson(const SpecialisationValue& value, const Specialist& found) {
    return {{"name", found.name},
            {"layer", found.layer},
            {"expert", found.expert},
            {"domain", value.domains[static_cast<std::size_t>(found.domain)]},
            {"n", found.tokens},
            {"chosen", found.chosen},
            {"affinity", number(found.affinity)},
            {"lift", number(found.lift)},
            {"ratio", number(found.ratio)},
            {"share", number(found.share)},
            {"p_value", found.pValue},
            {"p_adjusted", found.adjusted},
            {"halves", {halfJson(found.halves[0]), halfJson(found.halves[1])}},
            {"replicated", found.replicated},
            {"input_tokens",
             vocabularyJson(vocabulary(value, VocabularyKey::Input, found.row, found.expert))},
            {"next_tokens",
             vocabularyJson(vocabulary(value, VocabularyKey::Next, found.row, found.expert))}};
}

/// Affinities of a layer to every domain, [E] each.
Json affinityJson(const SpecialisationValue& value, int row) {
    Json out = Json::array();
    for (int domain = 0; domain < value.domainCount(); ++domain) {
        Json affinity = Json::array();
        Json gate = Json::array();
        for (int expert = 0; expert < value.shape.experts; ++expert) {
            affinity.push_back(number(value.affinity(row, expert, domain)));
            gate.push_back(number(value.gateShare(row, expert, domain)));
        }
        out.push_back({{"domain", value.domains[static_cast<std::size_t>(domain)]},
                       {"n", value.tokens(row, domain)},
                       {"affinity", std::move(affinity)},
                       {"gate_share", std::move(gate)}});
    }
    return out;
}

Json layerJson(const AnalysisReport& report, int row) {
    const SpecialisationValue& value = *report.specialisation;
    const auto index = static_cast<std::size_t>(row);
    const BalanceRow& balance = report.balance.rows[index];
    const Replication& halves = value.replication[index];
    const DomainDivergence& apart = value.divergence[index];
    return {{"layer", balance.layer},
            {"mtp", balance.mtp},
            {"balance", balanceJson(balance)},
            {"bias", biasJson(biasRow(report, index))},
            {"replication",
             {{"n", halves.cells},
              {"pearson", number(halves.pearson)},
              {"spearman", number(halves.spearman)},
              {"pearson_centred", number(halves.pearsonCentred)}}},
            {"domain_divergence",
             {{"n", apart.pairs},
              {"equal_bits", number(apart.equal)},
              {"weighted_bits", number(apart.weighted)},
              {"bias_bits", number(apart.bias)},
              {"corrected_bits", number(apart.corrected)}}},
            {"next_layer", index < report.next.size() ? nextLayerJson(report.next[index]) : Json()},
            {"expert_cache", cacheJson(report.reads[index])},
            {"domains", affinityJson(value, row)}};
}

Json domainsJson(const AnalysisReport& report) {
    const SpecialisationValue& value = *report.specialisation;
    Json out = Json::array();
    for (int domain = 0; domain < value.domainCount(); ++domain) {
        const auto index = static_cast<std::size_t>(domain);
        out.push_back({{"domain", value.domains[index]},
                       {"prompts", report.answeredByDomain[index]},
                       {"n", value.tokens(0, domain)},
                       {"n_half", {value.tokens(0, domain, 0), value.tokens(0, domain, 1)}}});
    }
    return out;
}

}  // namespace

const BiasRowDiagnostics* biasRow(const AnalysisReport& report, std::size_t row) {
    const int layer = report.balance.rows[row].layer;
    for (const BiasRowDiagnostics& bias : report.bias.rows) {
        if (bias.layer == layer) return &bias;
    }
    return nullptr;
}

std::vector<int> cacheSizes(int experts) {
    std::vector<int> out;
    for (int size = 1; size < experts; size *= 2) out.push_back(size);
    if (experts > 0) out.push_back(experts);
    return out;
}

nlohmann::ordered_json analysisJson(const AnalysisReport& report) {
    const SpecialisationValue& value = *report.specialisation;
    Json layers = Json::array();
    for (int row = 0; row < value.rows(); ++row) {
        layers.push_back(layerJson(report, row));
    }
    Json specialists = Json::array();
    for (const Specialist& found : value.specialists) {
        specialists.push_back(specialistJson(value, found));
    }
    return {{"prompts",
             {{"n", report.batch.total},
              {"answered", report.batch.answered},
              {"cancelled", report.batch.cancelled},
              {"seconds", report.batch.seconds},
              {"prompt_tokens", report.batch.promptTokens},
              {"answer_tokens", report.batch.answerTokens}}},
            {"domains", domainsJson(report)},
            {"layers", std::move(layers)},
            {"expert_cache_main_layers", mainCacheJson(report)},
            {"rule",
             {{"least_ratio", value.rule.leastRatio},
              {"false_discovery_rate", value.rule.falseDiscoveryRate},
              {"least_vocabulary", value.rule.leastVocabulary},
              {"shrinkage", value.rule.shrinkage}}},
            {"chance", number(value.chance())},
            {"enough_tokens", value.enoughTokens()},
            {"vocabulary",
             {{"n_input", value.vocabularyTokens[0]},
              {"n_next", value.vocabularyTokens[1]},
              {"complete", !value.vocabularyFull}}},
            {"specialists", std::move(specialists)},
            {"speculation", acceptanceJson(report)}};
}

}  // namespace gatescope::cli
