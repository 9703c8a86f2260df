// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/analysis/balance.h"
#include "engine/analysis/coactivation.h"
#include "engine/analysis/comparison.h"
#include "engine/analysis/routing_load.h"
#include "engine/analysis/speculation_stats.h"
#include "engine/report/placement_plan.h"

namespace gatescope {

/// How much of what people wrote goes into a report.
enum class PromptDetail : std::uint8_t {
    None,    ///< nothing
    Hashes,  ///< SHA-256 of each prompt: equal prompts can be told, none can be read
    Texts,   ///< prompts and the sessions' titles
};

struct ReportedAnswer {
    int turn = 0;
    std::int64_t promptTokens = 0;  ///< of the prompt as the model saw it
    std::int64_t answerTokens = 0;
    std::string settings;  ///< settingsText()
    std::uint64_t seed = 0;
    std::string finish;
    std::string promptHash;  ///< SHA-256 of the last user message, hex; empty with None
    std::string prompt;      ///< that message; empty but with Texts
};

struct ReportedSession {
    std::int64_t id = 0;
    std::string title;  ///< empty but with Texts
    std::int64_t createdMs = 0;
    std::string device;
    std::string precision;
    std::vector<ReportedAnswer> answers;  ///< that count; those taken back are left out
};

struct ReportedModel {
    std::string name;
    std::string fingerprint;
    std::string configJson;    ///< as the checkpoint has it; empty where nobody said
    std::string quantisation;  ///< of the weights: "fp8, blocks of 128 x 128"; "bfloat16"
    RoutingShape shape;
    std::int64_t expertBytes = 0;  ///< weights of one routed expert of one layer; 0: not known
};

/// What the correction bias did in one row.
struct ReportedBiasRow {
    int layer = -1;
    bool mtp = false;
    std::int64_t tokens = 0;  ///< n of biasDecided
    double biasDecided = 0;   ///< share of choices made only because of the bias, recorded bits
    // The rest needs the model's biases; empty and NaN without them.
    std::vector<float> bias;     ///< [E]
    double deviation = 0;        ///< population standard deviation of b
    double largest = 0;          ///< max |b - mean b|
    int raised = 0;              ///< experts whose bias one update of the training rule on the
    int lowered = 0;             ///< report's loads would raise, or lower; nothing is changed
    double loadCorrelation = 0;  ///< Spearman's, of b and the loads
};

struct ReportedPairs {
    int layer = -1;
    bool mtp = false;
    std::int64_t tokens = 0;        ///< n
    double expectedLift = 0;        ///< by chance
    std::int64_t tested = 0;        ///< pairs with at least kMinExpectedPairs expected
    std::vector<ExpertPair> pairs;  ///< largest lift first
};
inline constexpr int kReportedPairs = 10;  ///< per row

/// The latent cache where it was largest.
struct ReportedCache {
    std::int64_t answers = 0;  ///< n: answers that recorded it
    CacheUse largest;          ///< of the step with most positions
};

struct ReportedSpeculation {
    SpeculationRates all;
    std::array<SpeculationRates, kDraftSourceCount> bySource;
    LayerReads reads;  ///< summed over main MoE layers
    SpeculationGain gain;
    std::vector<VerifyCost> costs;
};

/// Two groups of sessions against each other.
struct ReportedComparison {
    std::vector<std::int64_t> sessionsA;
    std::vector<std::int64_t> sessionsB;
    PairComparison pair;  ///< loadA and loadB are there; at most kReportedShifts experts
    RunFigures figuresA;
    RunFigures figuresB;
};
inline constexpr std::size_t kReportedShifts = 50;

enum class ReportSource : std::uint8_t {
    Sessions,
    Loads,  ///< somebody else's counts: no phases, no single tokens, no sessions
};

/// Everything a report says, in every format: what is not here is in none.
struct ReportValue {
    ReportSource source = ReportSource::Sessions;
    std::string sourceName;      ///< name of the file, without its folder
    std::string sourceFormat;    ///< RecordedLoads::format; of sessions "sessions"
    std::string program;         ///< "gatescope 0.1.0"
    std::int64_t createdMs = 0;  ///< when the report was made, Unix time
    PromptDetail prompts = PromptDetail::Hashes;
    ReportedModel model;
    std::vector<ReportedSession> sessions;
    std::int64_t changedRoutingAnswers = 0;  ///< left out: interventions changed their routing

    unsigned phases = kDefaultPhases;  ///< that `balance` is over
    double falseDiscoveryRate = 0.05;
    std::shared_ptr<const RoutingLoad> load;  ///< all phases; with Loads everything is Decode
    BalanceValue balance;                     ///< balanceOf(*load, phases, falseDiscoveryRate)

    std::vector<ReportedBiasRow> bias;  ///< rows; empty for a router without a bias, or Loads
    std::vector<ReportedPairs> pairs;   ///< rows; empty with Loads
    std::optional<ReportedCache> cache;
    std::optional<ReportedSpeculation> speculation;  ///< nothing where nothing was drafted
    std::optional<ReportedComparison> comparison;
    std::optional<PlacementPlan> placement;
};

}  // namespace gatescope
