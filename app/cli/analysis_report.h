// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/analysis/balance.h"
#include "engine/analysis/bias_counter.h"
#include "engine/analysis/layer_profile.h"
#include "engine/analysis/prompt_set.h"
#include "engine/analysis/specialisation.h"
#include "engine/analysis/speculation_stats.h"
#include "engine/decode/prompt_batch.h"

namespace gatescope::cli {

/// What became of the drafts, if there were any.
struct AcceptanceReport {
    GenerationParams params;
    SpeculationValue all;
    std::vector<SpeculationRates> byDomain;  ///< as PromptSet::domains
};

/// What `analyze` found.
struct AnalysisReport {
    const PromptSet* set = nullptr;
    PromptBatchResult batch;
    std::vector<std::int64_t> answeredByDomain;  ///< prompts, as PromptSet::domains
    BalanceValue balance;
    BiasDiagnostics bias;
    std::shared_ptr<const SpecialisationValue> specialisation;
    std::vector<NextLayerSummary> next;          ///< by main row, the last one without
    std::vector<ExpertReadsValue> reads;         ///< by row
    std::vector<ExpertReadsTotal> mainReads;     ///< [E + 1]
    std::optional<AcceptanceReport> acceptance;  ///< nothing where nobody was to draft
};

/// Cache sizes that are listed: powers of two up to E, and E.
std::vector<int> cacheSizes(int experts);

/// The bias figures of a row of the balance; null for a model without a correction bias.
const BiasRowDiagnostics* biasRow(const AnalysisReport& report, std::size_t row);

/// Tables for people: layers, domains, replication, specialists; every figure with its n.
std::string analysisTables(const AnalysisReport& report);

nlohmann::ordered_json analysisJson(const AnalysisReport& report);

/// Acceptance by domain and by class of token; empty without drafts.
std::string acceptanceTables(const AnalysisReport& report);
/// Null without drafts.
nlohmann::ordered_json acceptanceJson(const AnalysisReport& report);

/// layers.csv, balance.csv, affinities.csv, specialists.csv, vocabulary.csv, next-layers.csv,
/// expert-cache.csv and, with drafts, acceptance.csv: one observation a line. Makes the folder.
/// Throws Error.
void writeAnalysisFiles(const AnalysisReport& report, const std::filesystem::path& folder);

}  // namespace gatescope::cli
