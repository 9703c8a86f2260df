// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/speculation_stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double ratio(std::int64_t part, std::int64_t whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : kNaN;
}

std::vector<DraftPosition> positionRates(std::span<const VerifyStep> steps) {
    int deepest = 0;
    for (const VerifyStep& step : steps) {
        deepest = std::max(deepest, step.drafted);
    }
    std::vector<DraftPosition> positions(static_cast<std::size_t>(deepest));
    for (std::size_t p = 0; p < positions.size(); ++p) {
        const int i = static_cast<int>(p) + 1;
        DraftPosition& position = positions[p];
        for (const VerifyStep& step : steps) {
            position.accepted += step.accepted >= i ? 1 : 0;
            position.reached += step.accepted >= i - 1 && step.drafted >= i ? 1 : 0;
        }
        position.unconditional = ratio(position.accepted, static_cast<std::int64_t>(steps.size()));
        position.conditional = ratio(position.accepted, position.reached);
        position.conditional95 = wilson95(position.accepted, position.reached);
    }
    return positions;
}

}  // namespace

Interval wilson95(std::int64_t successes, std::int64_t trials) {
    if (successes < 0 || successes > trials) {
        throw std::invalid_argument("wilson95: successes outside 0..trials");
    }
    if (trials == 0) {
        return {kNaN, kNaN};
    }
    constexpr double z = 1.959963984540054;  // the 97.5 % point of the normal distribution
    const auto n = static_cast<double>(trials);
    const double p = static_cast<double>(successes) / n;
    const double scale = 1.0 + z * z / n;
    const double centre = (p + z * z / (2.0 * n)) / scale;
    const double half = z * std::sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n)) / scale;
    // The ends are exactly 0 and 1 there; rounding must not leave 1e-17 or 0.9999.
    return {successes == 0 ? 0.0 : std::max(0.0, centre - half),
            successes == trials ? 1.0 : std::min(1.0, centre + half)};
}

SpeculationValue speculationStats(std::span<const VerifyStep> steps) {
    SpeculationValue out;
    out.steps.assign(steps.begin(), steps.end());
    std::int64_t distinct = 0;
    for (const VerifyStep& step : steps) {
        if (step.drafted < 0 || step.accepted < 0 || step.accepted > step.drafted) {
            throw std::invalid_argument("speculationStats: accepted outside 0..drafted");
        }
        out.drafted += step.drafted;
        out.accepted += step.accepted;
        if (step.distinctExperts > 0) {
            ++out.stepsWithExperts;
            distinct += step.distinctExperts;
        }
    }
    out.rate = ratio(out.accepted, out.drafted);
    out.rate95 = wilson95(out.accepted, out.drafted);
    out.lengthWithoutBonus = ratio(out.accepted, static_cast<std::int64_t>(steps.size()));
    out.length = 1.0 + out.lengthWithoutBonus;
    out.positions = positionRates(steps);
    out.meanDistinctExperts = ratio(distinct, out.stepsWithExperts);
    return out;
}

SpeculationValue speculationStats(std::span<const DraftOutcome> drafts) {
    std::vector<VerifyStep> steps;
    steps.reserve(drafts.size());
    for (const DraftOutcome& draft : drafts) {
        steps.push_back({1, draft.accepted ? 1 : 0, draft.distinctExperts});
    }
    return speculationStats(std::span<const VerifyStep>(steps));
}

std::vector<double> runningAcceptance(std::span<const VerifyStep> steps, int window) {
    if (window < 1) {
        throw std::invalid_argument("runningAcceptance: window below 1");
    }
    std::vector<double> out;
    out.reserve(steps.size());
    std::int64_t drafted = 0;
    std::int64_t accepted = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        drafted += steps[i].drafted;
        accepted += steps[i].accepted;
        if (i >= static_cast<std::size_t>(window)) {
            drafted -= steps[i - static_cast<std::size_t>(window)].drafted;
            accepted -= steps[i - static_cast<std::size_t>(window)].accepted;
        }
        out.push_back(ratio(accepted, drafted));
    }
    return out;
}

double uniformDistinctExperts(int layers, int experts, int topK, int positions) {
    const double missed = 1.0 - static_cast<double>(topK) / static_cast<double>(experts);
    return static_cast<double>(layers) * experts * (1.0 - std::pow(missed, positions));
}

}  // namespace gatescope
