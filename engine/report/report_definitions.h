// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "engine/analysis/balance.h"

namespace gatescope {

/// A metric of a layer as files name it.
struct BalanceMetricName {
    std::string_view id;
    BalanceMetric BalanceRow::*value;
};
inline constexpr std::array<BalanceMetricName, 9> kBalanceMetrics{{
    {"max_vio", &BalanceRow::maxVio},
    {"step_max_vio", &BalanceRow::stepMaxVio},
    {"min_vio", &BalanceRow::minVio},
    {"avg_vio", &BalanceRow::avgVio},
    {"cv", &BalanceRow::cv},
    {"gini", &BalanceRow::gini},
    {"entropy", &BalanceRow::entropy},
    {"effective_experts", &BalanceRow::effectiveExperts},
    {"distinct", &BalanceRow::distinct},
}};

/// A formula in words, with its source.
struct ReportDefinition {
    std::string_view id;
    std::string_view text;
};
inline constexpr std::array<ReportDefinition, 16> kReportDefinitions{{
    {"relative_load", "c E / (n k): choices of an expert over its fair share; 1 is even"},
    {"relative_gate_mass", "share of the layer's summed gate weights times E; 1 is even"},
    {"max_vio", "largest relative load less 1 (MaxVio, Wang et al. 2024, arXiv:2408.15664)"},
    {"step_max_vio", "mean over steps of each step's own MaxVio (arXiv:2408.15664, per batch)"},
    {"min_vio", "1 less the smallest relative load"},
    {"avg_vio", "mean distance of the relative loads from 1"},
    {"cv", "population standard deviation of the counts over their mean"},
    {"gini", "Gini coefficient of the counts; 0 is even"},
    {"entropy", "Shannon entropy of the shares over log E; 1 is even"},
    {"effective_experts", "exponential of the entropy of the shares; E is even"},
    {"distinct", "experts chosen at least once"},
    {"null_mean", "mean of the metric for a router that chooses k of E uniformly, same n"},
    {"null_p95", "95 % of uniform routers look no less even than this, same n"},
    {"p_value", "twice the smaller exact tail of Bin(n, k/E) at c; tokens taken as independent"},
    {"q_value", "p adjusted over the main layers' experts (Benjamini and Hochberg 1995)"},
    {"verdict", "hot, cold: q at most the rate; dead: never, in enough tokens; not_seen: too few"},
}};

}  // namespace gatescope
