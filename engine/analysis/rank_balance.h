// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "engine/analysis/placement.h"

namespace gatescope {

/// What each GPU (rank) of each MoE layer has to compute in one pass, or in many together.
struct RankLoads {
    int layers = 0;
    int gpus = 0;
    std::vector<double> values;  ///< [L * R] L_r, in the unit of the expert loads

    std::span<const double> row(int layer) const;  ///< [R]
};

/// Every copy of an expert takes an equal share, load / copies. That is a bound: engines that send
/// each token to one copy split unevenly. The placement is a checked one; throws Error if the loads
/// are of other layers or experts.
RankLoads rankLoads(const Placement& placement, const ExpertLoads& loads);

/// Engines measure balance in four ways that cannot be converted into each other once an average is
/// taken; never show one without its name. All are dimensionless and NaN where nothing was routed.

/// SGLang "balancedness": mean over layers of (mean_r L + 1e-5) / (max_r L + 1e-5), then mean over
/// the passes given. At most 1, which is even. An idle layer counts as even, as there.
double sglangBalancedness(std::span<const RankLoads> passes);

/// vLLM "balancedness" of one pass: sum over layers of mean_r L / sum of max_r L. At most 1.
double vllmBalancedness(const RankLoads& pass);

/// vLLM's proposal #39178: mean over layers of max_r L / mean_r L. At least 1, which is even:
/// upside down to the two above. Idle layers have no ratio and are left out.
double vllmPeakRatio(const RankLoads& pass);

/// TensorRT-LLM "imbalance ratio": mean over iterations of (max_r L - mean_r L) / mean_r L, then
/// mean over layers. 0 is even. Iterations in which a layer is idle are left out of its mean.
/// Throws Error unless the iterations are of the same layers.
double tensorRtImbalance(std::span<const RankLoads> iterations);

/// [L] max_r L / mean_r L: how much longer a layer takes than with even GPUs. NaN for idle layers.
std::vector<double> stragglerFactors(const RankLoads& loads);

/// Sum over layers of max_r L: what all GPUs together wait for, in the unit of the loads.
double stragglerTime(const RankLoads& loads);

/// Sum of max_r L / sum of mean_r L - 1: the part of the expert time that is lost to waiting, if
/// the experts' time is all there is.
double stragglerCost(const RankLoads& loads);

}  // namespace gatescope
