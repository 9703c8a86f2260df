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

void fillPositions(SpeculationRates& out, const DraftOutcomes& outcomes) {
    for (std::size_t d = 0; d < outcomes.size(); ++d) {
        for (std::size_t a = 0; a < outcomes[d].size(); ++a) {
            for (std::size_t p = 0; p < d && outcomes[d][a] > 0; ++p) {  // position i = p + 1
                out.positions.resize(std::max(out.positions.size(), p + 1));
                out.positions[p].asked += outcomes[d][a];
                out.positions[p].reached += a >= p ? outcomes[d][a] : 0;
                out.positions[p].accepted += a > p ? outcomes[d][a] : 0;
            }
        }
    }
    for (DraftPosition& position : out.positions) {
        position.unconditional = ratio(position.accepted, out.steps);
        position.unconditional95 = wilson95(position.accepted, out.steps);
        position.conditional = ratio(position.accepted, position.reached);
        position.conditional95 = wilson95(position.accepted, position.reached);
    }
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

std::string_view name(DraftSource source) {
    return source == DraftSource::Mtp ? "mtp" : "lookup";
}

SpeculationRates speculationRates(const DraftOutcomes& outcomes) {
    SpeculationRates out;
    for (std::size_t d = 0; d < outcomes.size(); ++d) {
        for (std::size_t a = 0; a < outcomes[d].size(); ++a) {
            const std::int64_t steps = outcomes[d][a];
            if (steps < 0 || (steps > 0 && a > d)) {
                throw std::invalid_argument("speculationRates: accepted outside 0..drafted");
            }
            if (steps == 0) {
                continue;
            }
            out.steps += steps;
            out.drafted += steps * static_cast<std::int64_t>(d);
            out.accepted += steps * static_cast<std::int64_t>(a);
            out.histogram.resize(std::max(out.histogram.size(), d + 1));
            out.histogram[a] += steps;
        }
    }
    out.rate = ratio(out.accepted, out.drafted);
    out.rate95 = wilson95(out.accepted, out.drafted);
    out.lengthWithoutBonus = ratio(out.accepted, out.steps);
    out.length = 1.0 + out.lengthWithoutBonus;
    fillPositions(out, outcomes);
    return out;
}

void countOutcome(DraftOutcomes& outcomes, int drafted, int accepted) {
    const auto d = static_cast<std::size_t>(drafted);
    outcomes.resize(std::max(outcomes.size(), d + 1));
    outcomes[d].resize(d + 1);
    ++outcomes[d][static_cast<std::size_t>(accepted)];
}

SpeculationRates speculationRates(std::span<const VerifyStep> steps) {
    DraftOutcomes outcomes;
    for (const VerifyStep& step : steps) {
        if (step.drafted < 0 || step.accepted < 0 || step.accepted > step.drafted) {
            throw std::invalid_argument("speculationRates: accepted outside 0..drafted");
        }
        countOutcome(outcomes, step.drafted, step.accepted);
    }
    return speculationRates(outcomes);
}

std::vector<SpeculationFigure> speculationFigures(const SpeculationRates& rates) {
    std::vector<double> perPosition;
    for (const DraftPosition& position : rates.positions) {
        perPosition.push_back(position.unconditional);
    }
    return {
        {"num_spec_steps", rates.steps},
        {"num_spec_tokens", static_cast<std::int64_t>(rates.positions.size())},
        {"num_draft_tokens", rates.drafted},
        {"num_accepted_draft_tokens", rates.accepted},
        {"draft_acceptance_rate", rates.rate},
        {"mean_acceptance_length", rates.length},
        {"acceptance_histogram", rates.histogram},
        {"acceptance_rates_per_position", std::move(perPosition)},
    };
}

std::vector<double> runningLength(std::span<const VerifyStep> steps, int window) {
    if (window < 1) {
        throw std::invalid_argument("runningLength: window below 1");
    }
    std::vector<double> out;
    out.reserve(steps.size());
    std::int64_t accepted = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        accepted += steps[i].accepted;
        if (i >= static_cast<std::size_t>(window)) {
            accepted -= steps[i - static_cast<std::size_t>(window)].accepted;
        }
        const auto n = static_cast<std::int64_t>(std::min(i + 1, static_cast<std::size_t>(window)));
        out.push_back(1.0 + ratio(accepted, n));
    }
    return out;
}

double uniformDistinctExperts(int layers, int experts, int topK, int positions) {
    const double missed = 1.0 - static_cast<double>(topK) / static_cast<double>(experts);
    return static_cast<double>(layers) * experts * (1.0 - std::pow(missed, positions));
}

}  // namespace gatescope
