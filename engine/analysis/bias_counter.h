// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/analysis/bias_precision.h"
#include "engine/analysis/fast_choice.h"
#include "engine/analysis/margin_histogram.h"
#include "engine/analysis/routing_load.h"

namespace gatescope {

/// How often a router in less precision would choose differently.
struct PrecisionAudit {
    double changedTokens = 0;   ///< share of tokens with another selection; NaN without tokens
    double changedChoices = 0;  ///< share of the n k choices; NaN without tokens
};

/// What the correction bias does in one layer, over the tokens of a phase mask. With u = s + b:
/// S_b is the selection the published rule makes with u, S_0 the one with b = 0 (groups chosen
/// again), S_0g the one with b = 0 inside the groups that S_b kept.
struct BiasRowDiagnostics {
    int layer = -1;  ///< absolute index
    bool mtp = false;
    std::int64_t tokens = 0;  ///< n of biasDecided: scored tokens, and others by recorded bits
    std::int64_t scored = 0;  ///< n of all else: tokens that carried affinities

    double biasDecided = 0;  ///< mean |S_b \ S_0| / k over `tokens`
    /// The same over the scored tokens, and its parts: within = mean |S_b \ S_0g| / k, and the rest
    /// comes from the groups. That rest can be negative: other groups may bring back a choice.
    double biasDecidedScored = 0;
    double withinGroups = 0;
    double groupFlips = 0;

    /// mean of (sum of s over S_0 - sum over S_b) / sum over S_0. Never negative without a group
    /// limit; with one it can be, because groups are kept by their two best experts only.
    double affinityCost = 0;
    double maxVioWithout = 0;  ///< max_i c_i E / (n k) - 1 with c counting S_0
    double maxVioWith = 0;     ///< the same, counting S_b
    double balanceGain = 0;    ///< maxVioWithout - maxVioWith: what the bias buys

    /// Last chosen minus first runner-up choice score inside the kept groups. n = scored tokens
    /// (none when every eligible expert is chosen).
    MarginSummary margin;
    /// Last kept minus first dropped group score; n = 0 without a group limit.
    MarginSummary groupMargin;
    std::int64_t ties = 0;  ///< tokens whose margin is exactly zero

    double biasDeviation = 0;      ///< population standard deviation of b over the experts
    double affinityDeviation = 0;  ///< mean over tokens of the deviation of s over the experts
    double dominance = 0;          ///< biasDeviation / affinityDeviation

    std::array<PrecisionAudit, kBiasPrecisions> precision;
};

struct BiasDiagnostics {
    RoutingShape shape;
    unsigned phaseMask = kDefaultPhases;
    double noise = 0;  ///< a margin below it is called fragile
    /// One per MoE layer, then the MTP layer's; empty for a model without a bias.
    std::vector<BiasRowDiagnostics> rows;
};

/// Adds up, token by token, what the bias decided. The rule is applied again to the recorded
/// affinities, so interventions of a run do not show here. A model without a bias counts nothing.
class BiasCounter {
  public:
    /// Differences between correct float32 implementations of the gate stay below this.
    static constexpr double kDefaultNoise = 1e-5;

    /// biasByRow: [rows][E], the MTP layer last. Throws Error if it does not fit the shape.
    BiasCounter(RoutingShape shape, std::vector<std::vector<float>> biasByRow,
                double noise = kDefaultNoise);

    /// The run goes on with another bias: starts over, figures of two biases are never mixed.
    void setBias(std::vector<std::vector<float>> biasByRow);

    /// Throws Error for routing that does not fit the shape.
    void add(const RoutedToken& token, bool mtp);
    void add(const StepTrace& step);

    BiasDiagnostics value(unsigned phaseMask = kDefaultPhases) const;

  private:
    struct Row {
        std::int64_t tokens = 0;
        std::int64_t decided = 0;  ///< choices, over `tokens`
        std::int64_t scored = 0;
        std::int64_t decidedScored = 0;
        std::int64_t decidedWithin = 0;
        double affinityCost = 0;
        double deviation = 0;
        std::int64_t ties = 0;
        MarginHistogram margins;
        MarginHistogram groupMargins;
        std::array<std::int64_t, kBiasPrecisions> changedTokens{};
        std::array<std::int64_t, kBiasPrecisions> changedChoices{};
        std::vector<std::int64_t> countsWith;     ///< [E]
        std::vector<std::int64_t> countsWithout;  ///< [E]

        void merge(const Row& other);
    };
    using Part = std::vector<Row>;  ///< [rows], empty until something was counted

    Part& part(const RoutedToken& token);
    void addRow(Row& out, std::size_t row, const float* scores);
    void audit(Row& out, std::size_t row, const float* scores, double largestScore);
    /// What rounding cannot change in the present choice.
    struct Safe {
        bool groups = false;
        bool all = false;
    };
    Safe safe(BiasPrecision precision, std::size_t row, double largestScore) const;
    BiasRowDiagnostics summarise(const Row& row, std::size_t index) const;

    RoutingShape m_shape;
    double m_noise;
    std::vector<std::vector<float>> m_bias;
    std::vector<RoundedBias> m_rounded;
    std::vector<double> m_largest;              ///< [rows] max |b|
    std::array<Part, 2 * kPhaseCount> m_parts;  ///< ordinary tokens by phase, then special ones
    std::optional<FastChoice> m_with;           ///< unset for a model without a bias
    std::optional<FastChoice> m_without;
    std::optional<FastChoice> m_other;
    std::vector<float> m_choice;  ///< [E] scratch
};

}  // namespace gatescope
