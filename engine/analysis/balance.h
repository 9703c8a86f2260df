// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/analysis/routing_load.h"

namespace gatescope {

/// A number beside what a uniform router gives for the same n.
struct BalanceMetric {
    double value = 0;
    double nullMean = 0;
    double nullP95 = 0;   ///< UniformStatistic::p95
    double excess = 0;    ///< value - nullMean
    bool beyond = false;  ///< less even than the 95 % point
};

enum class LoadVerdict : std::uint8_t {
    Ordinary,  ///< chosen about as often as chance allows
    Hot,       ///< more often, q <= the false discovery rate
    Cold,      ///< less often but not never, q <= the false discovery rate
    NotSeen,   ///< never, and too few tokens to tell
    Dead,      ///< never, in at least tokensToCallDead(E, k) tokens
};

struct ExpertBalance {
    std::int64_t count = 0;       ///< c
    double relativeLoad = 0;      ///< c E / (n k); NaN without tokens
    double relativeGateMass = 0;  ///< share of the gate mass times E; NaN without gate mass
    double pValue = 0;  ///< twice the smaller exact tail of Bin(n, k/E) at c; NaN for n = 0
    double qValue = 0;  ///< adjustedPValues over all experts of all main layers; the MTP layer's
                        ///< over its own
    LoadVerdict verdict = LoadVerdict::NotSeen;
};

/// One MoE layer, a row of RoutingLoad.
struct BalanceRow {
    int layer = 0;             ///< absolute index
    bool mtp = false;          ///< the MTP layer: another router, never averaged in with the others
    std::int64_t tokens = 0;   ///< n
    std::int64_t choices = 0;  ///< N = n k
    /// Steps that routed tokens of these phases; a step's tokens of two phases are two steps here.
    std::int64_t steps = 0;

    BalanceMetric maxVio;      ///< global: of the summed counts
    BalanceMetric stepMaxVio;  ///< mean over steps of each step's own MaxVio; NaN without steps
    BalanceMetric minVio;
    BalanceMetric avgVio;
    BalanceMetric cv;
    BalanceMetric gini;
    BalanceMetric entropy;           ///< falls with imbalance
    BalanceMetric effectiveExperts;  ///< falls with imbalance
    BalanceMetric distinct;          ///< experts seen; its nullP95 is NaN
    double gateMaxVio = 0;  ///< MaxVio of the gate mass instead of the counts (no null: the
    double gateCv = 0;      ///< weights' own spread takes part); CV likewise

    int hot = 0;
    int cold = 0;
    int notSeen = 0;
    int dead = 0;
    std::vector<ExpertBalance> experts;  ///< [E]
};

struct BalanceValue {
    RoutingShape shape;
    unsigned phaseMask = 0;
    double falseDiscoveryRate = 0;
    std::int64_t deadTokens = 0;   ///< tokensToCallDead(E, k)
    std::vector<BalanceRow> rows;  ///< as in RoutingLoad
};

/// Load balance of every layer over the chosen phases. Counts of tokens that follow each other in
/// one text are not independent: the p-values are those of independent tokens and flatter a chat.
/// Throws Error for a rate outside (0, 1) and for a model
/// without experts.
BalanceValue balanceOf(const RoutingLoad& load, unsigned phaseMask,
                       double falseDiscoveryRate = 0.05);

}  // namespace gatescope
