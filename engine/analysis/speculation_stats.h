// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// A 95 % interval of a proportion; NaN without trials.
struct Interval {
    double low = 0;
    double high = 0;
};

/// Wilson score interval, 95 %. Throws std::invalid_argument unless 0 <= successes <= trials.
Interval wilson95(std::int64_t successes, std::int64_t trials);

/// One verify step: d drafted, the first a of them accepted.
struct VerifyStep {
    int drafted = 0;
    int accepted = 0;
    int distinctExperts = 0;  ///< experts read in this step, summed over MoE layers; 0: not known
};

/// One draft position i (1-based): reached when the step drafted that far and everything before
/// was accepted.
struct DraftPosition {
    std::int64_t accepted = 0;  ///< #{a_j >= i}
    std::int64_t reached = 0;   ///< #{a_j >= i-1, d_j >= i}
    double unconditional = 0;   ///< P_i = accepted / steps
    double conditional = 0;     ///< alpha_i = accepted / reached
    Interval conditional95;
};

/// Speculation over a list of verify steps. Rates are NaN while nothing was drafted.
struct SpeculationValue {
    std::vector<VerifyStep> steps;
    std::int64_t drafted = 0;       ///< sum of d
    std::int64_t accepted = 0;      ///< sum of a
    double rate = 0;                ///< accepted / drafted
    Interval rate95;                ///< Wilson, n = drafted
    double length = 0;              ///< tau = 1 + accepted / steps, the bonus token included
    double lengthWithoutBonus = 0;  ///< accepted / steps
    std::vector<DraftPosition> positions;
    std::int64_t stepsWithExperts = 0;  ///< n of meanDistinctExperts
    double meanDistinctExperts = 0;     ///< per verify step, summed over MoE layers
};

/// Definitions: draft acceptance, mean acceptance length with and without the bonus token,
/// unconditional and conditional rates per position, as serving engines report them.
SpeculationValue speculationStats(std::span<const VerifyStep> steps);
/// One draft per step.
SpeculationValue speculationStats(std::span<const DraftOutcome> drafts);

/// Share accepted in a window of up to `window` steps ending at each step.
std::vector<double> runningAcceptance(std::span<const VerifyStep> steps, int window);

/// Distinct experts a uniform router would read for `positions` independent tokens, summed over
/// `layers`: layers * E (1 - (1 - k/E)^positions).
double uniformDistinctExperts(int layers, int experts, int topK, int positions);

}  // namespace gatescope
