// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/analysis/compared_run.h"
#include "engine/analysis/jensen_shannon.h"
#include "engine/analysis/routing_load.h"
#include "engine/analysis/speculation_stats.h"
#include "engine/progress.h"

namespace gatescope {

/// At most this many runs beside each other.
inline constexpr std::size_t kMostComparedRuns = 8;

struct ComparisonOptions {
    /// Phases (bit i: phase i) and kSpecialTokens, as everywhere. Each phase, and special tokens
    /// of each, is a stratum of its own.
    unsigned phases = kDefaultPhases;
    /// Leave out the tokens with which all prompts of both runs begin (a system prompt, the chat
    /// format's opening): their routing is the same by construction and dilutes every difference.
    bool afterCommonPrefix = false;
    /// Of a contiguous block, the unit that is permuted. Doubled where a run would have more than
    /// kMostBlocks of them: longer blocks are as valid, and nothing is gained by more.
    int blockTokens = 32;
    int permutations = 9999;  ///< B
    std::uint64_t seed = 1;   ///< of the permutations
    double alpha = 0.05;      ///< level of the sentence on top and of intervals (1 - alpha)
    int threads = 0;          ///< 0: all there are; changes no number
};

/// A run is cut into at most so many blocks (answers are never joined to a block).
inline constexpr int kMostBlocks = 512;

/// What is exchanged between A and B under the null hypothesis.
enum class PermutedUnit : std::uint8_t {
    Block,   ///< contiguous tokens of one phase of one answer
    Answer,  ///< a whole prompt with its answer: at least 6 on either side
};

/// How labels were exchanged.
struct PermutationScheme {
    int unitsA = 0;
    int unitsB = 0;
    double assignments = 0;  ///< different ways to give the units to the sides; may be infinity
    bool exact = false;      ///< every assignment was tried once instead of random ones
    std::int64_t permutations = 0;  ///< B; with `exact` the number of assignments
    /// The smallest p of a layer that is possible: 1 / (B + 1), or what so few assignments allow
    /// (twice as large for every stratum with as many units on both sides, where exchanging the
    /// sides changes nothing). NaN without permutations.
    double smallestP = 0;
};

/// One run against itself: its first half of units against the second, tested the same way. What
/// two texts of the same kind differ by.
struct SelfComparison {
    std::int64_t tokensFirst = 0;
    std::int64_t tokensSecond = 0;
    JensenShannon divergence;
    double pValue = 0;  ///< NaN: too few units
};

/// One MoE layer, a row of RoutingLoad, in A and in B.
struct LayerComparison {
    int layer = 0;     ///< absolute index
    bool mtp = false;  ///< the MTP layer: tested by itself, in no correction with the others
    std::int64_t tokensA = 0;
    std::int64_t tokensB = 0;
    JensenShannon divergence;  ///< of the summed counts, bits
    /// The tested statistic, bits: mean of the strata's JSD_w, weighted by their choices. With one
    /// stratum it is divergence.weighted.
    double stratified = 0;
    double nullMean = 0;  ///< of `stratified` over the permutations
    double nullP95 = 0;
    double pValue = 0;          ///< (1 + #{T* >= T}) / (B + 1); NaN: too few units
    double holm = 0;            ///< Holm's adjusted p over the main layers
    double qValue = 0;          ///< Benjamini and Hochberg's
    double totalVariation = 0;  ///< 1/2 sum |p - q|
    double cosine = 0;          ///< of the two load vectors
    double spearman = 0;        ///< rank correlation, mid-ranks for ties
    double maxVioA = 0;
    double maxVioB = 0;
    SelfComparison selfA;
    SelfComparison selfB;
};

/// At most so many experts are listed, significant or not.
inline constexpr std::size_t kShiftedExperts = 256;
/// With fewer choices of an expert in A and B together a map shows no difference.
inline constexpr std::int64_t kFewestChoices = 10;

/// One expert whose share of the choices is not the same in A and B.
struct ShiftedExpert {
    int layer = 0;  ///< absolute index
    bool mtp = false;
    int expert = 0;
    std::int64_t countA = 0;
    std::int64_t countB = 0;
    /// Of the layer's choices, the strata weighted alike on both sides (by their choices in A and B
    /// together), so that another mix of prompt and answer is no shift. With one stratum count / N.
    double shareA = 0;
    double shareB = 0;
    double log2Ratio = 0;  ///< log2 of (share in B / share in A), half a choice added to each
    /// Percentile bootstrap over the units of either side within their strata, level 1 - alpha; NaN
    /// where a side has fewer than two units.
    Interval log2Ratio95;
    /// Standardised difference that is tested: choices in B less those expected if A and B were
    /// alike, summed over the strata, over the deviation it has when the labels of the units are
    /// exchanged. Above 0: more in B.
    double score = 0;
    /// Adjusted over all experts of all main layers (MTP: its own) by the permutations' largest
    /// statistic (Westfall and Young 1993): family-wise.
    double pAdjusted = 0;
};

/// What can be said in one sentence, for whoever writes it in his language.
struct ComparisonVerdict {
    enum class Kind : std::uint8_t {
        NoTokens,      ///< nothing routed on one side
        TooFewUnits,   ///< so few units that no p could reach alpha after Holm
        NoDifference,  ///< no layer beyond chance after Holm
        Difference,    ///< layersBeyond of layersTested beyond chance after Holm
        /// As Difference, but a run differs from itself in as many layers: not from the prompts.
        SelfDifference,
    };
    Kind kind = Kind::NoTokens;
    std::int64_t tokensA = 0;  ///< n, main layers
    std::int64_t tokensB = 0;
    int layersTested = 0;
    int layersBeyond = 0;  ///< holm <= alpha
    int strongestLayer = -1;
    /// Divergence there in bits, less what exchanged labels give: stratified - nullMean.
    double strongest = 0;
    int selfLayersA = 0;  ///< layers in which A's halves differ, Holm over the layers
    int selfLayersB = 0;
    double smallestP = 0;  ///< the smallest p these units could give, before Holm
    double alpha = 0;
};

/// A stratum: tokens of one phase, special or not.
struct ComparisonStratum {
    Phase phase = Phase::Prefill;
    bool special = false;
    std::int64_t tokensA = 0;
    std::int64_t tokensB = 0;
    int unitsA = 0;
    int unitsB = 0;
    bool tested = false;  ///< on both sides there are tokens; otherwise compared nowhere
};

/// Two runs of the same routing shape (E and layers).
struct PairComparison {
    int a = 0;  ///< index of the run
    int b = 0;
    ComparisonOptions options;
    PermutedUnit unit = PermutedUnit::Block;
    int blockTokens = 0;  ///< as used, with PermutedUnit::Block
    PermutationScheme scheme;
    PermutationScheme mtpScheme;    ///< of the MTP layer's own units
    PermutationScheme selfSchemeA;  ///< of A against itself, main layers
    PermutationScheme selfSchemeB;
    std::int64_t prefixTokens = 0;  ///< left out, from each answer
    std::vector<ComparisonStratum> strata;
    RoutingShape shape;
    /// Of the tokens compared: the strata that are tested. Without the sizes of steps.
    std::shared_ptr<const RoutingLoad> loadA;
    std::shared_ptr<const RoutingLoad> loadB;
    std::vector<LayerComparison> layers;  ///< rows as in RoutingLoad
    /// The first kShiftedExperts: smallest pAdjusted first, then largest |score|. Main layers and
    /// the MTP layer, whose p is adjusted over its own experts, in one list.
    std::vector<ShiftedExpert> experts;
    std::int64_t expertsTested = 0;  ///< main layers
    std::int64_t expertsBeyond = 0;  ///< of them with pAdjusted <= alpha, listed or not
    ComparisonVerdict verdict;

    /// [rows * E] the difference that a map shows: log2 of the share in B over that in A as in
    /// ShiftedExpert, NaN where the two together hold fewer than kFewestChoices choices.
    std::vector<double> difference;
};

/// One line of the table of runs; NaN where it was not measured. Every figure with its n.
struct RunFigures {
    std::int64_t answers = 0;
    std::int64_t promptTokens = 0;    ///< of the prompts as the model saw them
    std::int64_t answerTokens = 0;    ///< generated
    std::int64_t routedTokens = 0;    ///< of the chosen phases, main layers
    std::int64_t rejectedTokens = 0;  ///< computed for drafts that were rejected
    double maxVio = 0;                ///< mean over main layers, of the chosen phases
    double maxVioNull = 0;            ///< what a uniform router has on that many tokens
    double cv = 0;
    double gini = 0;
    double entropy = 0;       ///< normalised
    double medianMargin = 0;  ///< choice margin over tokens and main layers
    double biasDecided = 0;   ///< share of choices made only because of the bias
    SpeculationRates speculation;
    double prefillTokensPerSecond = 0;
    double decodeTokensPerSecond = 0;
    std::int64_t cachePositions = 0;  ///< largest over the answers
    std::int64_t cacheUsed = 0;       ///< bytes, main layers, likewise
    std::string cacheDtype;
    double meanLogProbability = 0;  ///< of the generated tokens under the untouched logits, nats
};

/// Two to eight runs. The first is what the others are compared with.
struct Comparison {
    std::vector<ComparedRun> runs;  ///< answers kept for transcripts
    std::vector<RunFigures> figures;
    std::vector<PairComparison> pairs;  ///< (0, 1), (0, 2), ...
};

/// Figures of one run by itself.
RunFigures runFigures(const ComparedRun& run, unsigned phases);

/// Compares two runs. Throws Error where their experts or layers differ or a routing does not fit;
/// Cancelled when progress returns false. Under the null hypothesis the units are exchangeable
/// between the runs within their stratum.
PairComparison comparePair(const ComparedRun& a, const ComparedRun& b,
                           const ComparisonOptions& options, const Progress& progress = {});

/// Every run with the first. Throws as comparePair, and for fewer than 2 or more than
/// kMostComparedRuns runs.
Comparison compareRuns(std::vector<ComparedRun> runs, const ComparisonOptions& options,
                       const Progress& progress = {});

}  // namespace gatescope
