// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/text/token_class.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// A 95 % interval of a proportion; NaN without trials.
struct Interval {
    double low = 0;
    double high = 0;
};

/// Wilson score interval, 95 %. Throws std::invalid_argument unless 0 <= successes <= trials.
Interval wilson95(std::int64_t successes, std::int64_t trials);

inline constexpr int kDraftSourceCount = 2;
/// "mtp", "lookup".
std::string_view name(DraftSource source);

/// One verify step as it stands on the time axis: d drafted, the first a of them accepted.
struct VerifyStep {
    DraftSource source = DraftSource::Mtp;
    int drafted = 0;
    int accepted = 0;
    int distinctExperts = 0;  ///< experts read, summed over main MoE layers; 0: not known
    int wastedExperts = 0;    ///< those of them that only rejected positions read
    std::int64_t ns = 0;      ///< the whole step
};

/// One draft position i (1-based): reached when the step drafted that far and everything before
/// was accepted.
struct DraftPosition {
    std::int64_t accepted = 0;  ///< #{a_j >= i}
    std::int64_t asked = 0;     ///< #{d_j >= i}
    std::int64_t reached = 0;   ///< #{a_j >= i-1, d_j >= i}, the denominator of alpha_i
    double unconditional = 0;  ///< P_i = accepted / all steps of the set, however deep they drafted
    Interval unconditional95;
    double conditional = 0;  ///< alpha_i = accepted / reached
    Interval conditional95;
};

/// Acceptance over a set of verify steps; rates are NaN while nothing was drafted. Position rates
/// of sets with different depths are not comparable: who drafts deeper begins at other places.
struct SpeculationRates {
    std::int64_t steps = 0;                ///< D
    std::int64_t drafted = 0;              ///< sum of d
    std::int64_t accepted = 0;             ///< sum of a
    double rate = 0;                       ///< accepted / drafted
    Interval rate95;                       ///< Wilson, n = drafted
    double length = 0;                     ///< tau = 1 + accepted / steps, the bonus token included
    double lengthWithoutBonus = 0;         ///< accepted / steps
    std::vector<std::int64_t> histogram;   ///< [a] steps that accepted exactly a drafts
    std::vector<DraftPosition> positions;  ///< [i - 1], to the deepest draft
};

/// [d][a] verify steps that made d drafts and accepted a; all that the rates depend on. Rows may be
/// of any length.
using DraftOutcomes = std::vector<std::vector<std::int64_t>>;
void countOutcome(DraftOutcomes& outcomes, int drafted, int accepted);  ///< 0 <= a <= d
/// Throws std::invalid_argument for a negative count, or one where a > d.
SpeculationRates speculationRates(const DraftOutcomes& outcomes);
SpeculationRates speculationRates(std::span<const VerifyStep> steps);

/// Drafts by what they are. A draft behind a rejected one was not judged and counts nowhere.
struct ClassRates {
    TokenClass tokenClass = TokenClass::Other;
    std::int64_t judged = 0;
    std::int64_t accepted = 0;
    double rate = 0;  ///< accepted / judged
    Interval rate95;
};

/// Experts that verify steps read in one main MoE layer, means per verify step.
struct LayerReads {
    int layer = -1;          ///< absolute index; -1 in the sum over layers
    std::int64_t steps = 0;  ///< n: verify steps whose reads were recorded
    double distinct = 0;     ///< different experts read: the union of the step's positions
    /// Reads of plain decoding for the same output: the choices of the a + 1 positions that stayed.
    double plain = 0;
    /// What a uniform router would read for as many positions, E (1 - (1 - k/E)^(d+1)).
    double uniform = 0;
    double wasted = 0;       ///< experts that only rejected positions read
    double wastedShare = 0;  ///< of distinct
    double ratio = 0;        ///< distinct / plain: below 1, speculation reads less per token
};

/// Times of equal steps.
struct TimeSummary {
    std::int64_t n = 0;
    double meanNs = 0;
    double medianNs = 0;
    std::int64_t medianN = 0;  ///< the median is of the newest that many
};

/// Verify steps of one source and depth, and what they cost beside plain steps.
struct VerifyCost {
    DraftSource source = DraftSource::Mtp;
    int depth = 0;              ///< gamma: drafts per step
    std::int64_t accepted = 0;  ///< sum of a over total.n steps
    double length = 0;          ///< tau of these steps
    TimeSummary total;          ///< whole steps
    TimeSummary draft;          ///< making the drafts
    TimeSummary verify;         ///< total less draft
    double draftCost = 0;       ///< c_d: one draft's time in plain steps; NaN without plain steps
    double verifyCost = 0;      ///< v: the verification's time in plain steps
    double gain = 0;            ///< tau / (gamma c_d + v) - 1, from means
    /// The constant acceptance at which gamma drafts would give tau tokens per step.
    double equalAcceptance = 0;
    double breakEven = 0;  ///< breakEvenAcceptance of gamma, c_d, v
};

/// Tokens per second of this session with and without speculation.
struct SpeculationGain {
    std::int64_t plainSteps = 0;   ///< n of plainTokensPerSecond
    std::int64_t verifySteps = 0;  ///< n of tokensPerSecond
    /// 1 / mean time of plain decode steps, without what they spent on drafting; NaN: no plain step
    /// was measured yet.
    double plainTokensPerSecond = 0;
    /// Tokens of verify steps by their time and by what other steps spent on drafting: searching in
    /// vain, keeping the MTP module's cache.
    double tokensPerSecond = std::numeric_limits<double>::quiet_NaN();
    double gain = 0;       ///< tokensPerSecond / plainTokensPerSecond - 1
    double breakEven = 0;  ///< acceptance rate at which gain would be 0: (D time ratio - D) / d sum
};

/// Everything the traces of a session say about its speculation.
struct SpeculationValue {
    RoutingShape shape;
    std::vector<VerifyStep> steps;   ///< the newest kKeptSteps
    std::int64_t earlierSteps = 0;   ///< verify steps before steps.front()
    std::int64_t distinctReads = 0;  ///< over steps with recorded reads and main MoE layers
    std::int64_t wastedReads = 0;
    SpeculationRates all;
    std::array<SpeculationRates, kDraftSourceCount> bySource;
    std::vector<SpeculationRates> byDepth;  ///< [d] verify steps with d drafts; [0] is empty
    std::array<ClassRates, kTokenClassCount> byClass;
    std::vector<LayerReads> layers;  ///< main MoE layers, in order
    LayerReads reads;                ///< summed over them
    TimeSummary plain;               ///< plain decode steps, without what they spent on drafting
    std::vector<VerifyCost> costs;   ///< by source, then depth; only those that happened
    SpeculationGain gain;
    std::int64_t judged = 0;  ///< drafts: every accepted one and each step's first rejected
    std::int64_t withProbabilities = 0;  ///< n of the two means
    double meanDraftProbability = 0;     ///< q of judged drafts
    double meanTargetProbability = 0;    ///< p of judged drafts

    std::int64_t plainSteps() const { return plain.n; }
    bool empty() const { return all.steps == 0; }
};

/// Adds up decode steps as they come. Not thread-safe; memory is bounded. A copy is a state to come
/// back to.
class SpeculationCounter {
  public:
    static constexpr std::size_t kKeptSteps = std::size_t{1} << 16;
    static constexpr std::size_t kKeptTimes = 4096;  ///< per source and depth, for medians
    static constexpr int kDeepest = 64;

    SpeculationCounter() = default;
    /// `classOf`: the class of a token id; without it there is no table by class.
    explicit SpeculationCounter(RoutingShape shape,
                                std::function<TokenClass(std::int32_t id)> classOf = {});

    /// Verify steps and plain decode steps (no drafts, one position); others are passed over.
    /// Throws Error, and counts nothing, for a step that is impossible or does not fit the shape.
    void add(const StepTrace& step);
    /// Adds steps that were counted elsewhere with the same shape, as the newest ones. What comes
    /// out is the same as if they had been added here, but for the last digit of sums of times.
    void merge(const SpeculationCounter& other);
    SpeculationValue value() const;
    /// As in value(), without its cost.
    SpeculationGain gain() const;
    std::int64_t verifySteps() const { return m_verifySteps; }
    std::int64_t drafted() const { return m_drafted; }
    std::int64_t accepted() const { return m_accepted; }

  private:
    struct Times {
        std::int64_t n = 0;
        double sum = 0;
        std::vector<std::int64_t> newest;  ///< ring of kKeptTimes
        void add(std::int64_t ns);
        void merge(const Times& other);
        TimeSummary summary() const;
    };
    struct Group {
        std::int64_t accepted = 0;
        Times total;
        Times draft;
        Times verify;
    };
    struct Reads {
        std::int64_t distinct = 0;
        std::int64_t wasted = 0;
        std::int64_t plain = 0;
        double uniform = 0;
    };
    void check(const StepTrace& step) const;
    void addDrafts(const SpeculativeStep& step);
    void keepStep(const VerifyStep& step);
    struct Choices {
        int positions = 0;
        std::int64_t all = 0;   ///< of all positions
        std::int64_t kept = 0;  ///< of those that stayed
    };
    Choices choicesOf(const StepTrace& step, std::size_t row) const;
    void addReads(const StepTrace& step, VerifyStep& out);
    LayerReads layerReads(const Reads& sums) const;
    void fillCosts(SpeculationValue& value) const;

    RoutingShape m_shape;
    std::function<TokenClass(std::int32_t)> m_classOf;
    std::vector<VerifyStep> m_steps;  ///< ring when full
    std::int64_t m_verifySteps = 0;
    std::int64_t m_drafted = 0;
    std::int64_t m_accepted = 0;
    double m_verifyNs = 0;
    std::array<DraftOutcomes, kDraftSourceCount> m_outcomes;
    std::array<std::array<std::int64_t, 2>, kTokenClassCount> m_classes{};  ///< judged, accepted
    std::vector<Reads> m_reads;                                             ///< by row
    std::int64_t m_stepsWithReads = 0;
    Times m_plain;
    double m_otherDraftNs = 0;  ///< spent on drafting outside verify steps
    std::map<std::pair<DraftSource, int>, Group> m_groups;
    double m_draftProbability = 0;
    double m_targetProbability = 0;
    std::int64_t m_judged = 0;
    std::int64_t m_withProbabilities = 0;
};

/// Tokens per verify step if each of `depth` drafts is accepted with this probability when reached:
/// 1 + alpha + ... + alpha^depth (Leviathan, Kalman and Matias, 2023).
double expectedTokens(double acceptance, int depth);
/// The acceptance at which expectedTokens is `tokens`: 0 if that is 1 or less, infinity where no
/// acceptance is enough, NaN for NaN.
double acceptanceFor(double tokens, int depth);
/// The constant acceptance at which `depth` drafts neither win nor lose:
/// expectedTokens(alpha, depth) = depth * draftCost + verifyCost, costs in plain steps. As
/// acceptanceFor.
double breakEvenAcceptance(int depth, double draftCost, double verifyCost);

/// Figures under the names that vLLM gives them.
struct SpeculationFigure {
    std::string name;
    std::variant<std::int64_t, double, std::vector<std::int64_t>, std::vector<double>> value;
};
/// num_spec_steps, num_spec_tokens (the deepest step), num_draft_tokens,
/// num_accepted_draft_tokens, draft_acceptance_rate, mean_acceptance_length (with the bonus),
/// acceptance_histogram, acceptance_rates_per_position.
std::vector<SpeculationFigure> speculationFigures(const SpeculationRates& rates);

/// tau over a window of up to `window` steps ending at each step, the bonus token included.
std::vector<double> runningLength(std::span<const VerifyStep> steps, int window);

/// Distinct experts a uniform router would read for `positions` independent tokens, summed over
/// `layers`: layers * E (1 - (1 - k/E)^positions).
double uniformDistinctExperts(int layers, int experts, int topK, int positions);

}  // namespace gatescope
