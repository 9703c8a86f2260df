// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/speculation_report.h"

#include <fmt/format.h>

#include <cmath>
#include <variant>

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

/// JSON has no NaN.
Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json();
}

Json intervalJson(const Interval& interval) {
    return {number(interval.low), number(interval.high)};
}

Json figureJson(const SpeculationFigure& figure) {
    if (const auto* value = std::get_if<double>(&figure.value)) return number(*value);
    if (const auto* values = std::get_if<std::vector<double>>(&figure.value)) {
        Json out = Json::array();
        for (const double value : *values) out.push_back(number(value));
        return out;
    }
    if (const auto* counts = std::get_if<std::vector<std::int64_t>>(&figure.value)) return *counts;
    return std::get<std::int64_t>(figure.value);
}

Json positionsJson(const SpeculationRates& rates) {
    Json out = Json::array();
    for (const DraftPosition& position : rates.positions) {
        out.push_back({{"position", out.size() + 1},
                       {"n_steps", rates.steps},
                       {"n_asked", position.asked},
                       {"n_reached", position.reached},
                       {"accepted", position.accepted},
                       {"rate", number(position.unconditional)},
                       {"rate_95", intervalJson(position.unconditional95)},
                       {"conditional_rate", number(position.conditional)},
                       {"conditional_rate_95", intervalJson(position.conditional95)}});
    }
    return out;
}

Json draftJson(const SpeculativeStep& step, std::size_t index) {
    const DraftedToken& draft = step.drafts[index];
    return {{"id", draft.id},
            {"accepted", static_cast<int>(index) < step.accepted},
            {"draft_probability", number(draft.draftProbability)},
            {"target_probability", number(draft.targetProbability)}};
}

Json verifyStepJson(const SpeculationRecord::VerifyStep& step) {
    const SpeculativeStep& made = step.speculation;
    Json drafts = Json::array();
    for (std::size_t i = 0; i < made.drafts.size(); ++i) drafts.push_back(draftJson(made, i));
    return {{"step", step.step},
            {"source", name(made.source)},
            {"depth", made.drafted()},
            {"match_length", made.matchLength},
            {"accepted", made.accepted},
            {"drafts", drafts},
            {"distinct_experts", made.distinctExperts},
            {"wasted_experts", made.wastedExperts},
            {"draft_ns", step.timing.draftNs},
            {"verify_ns", step.timing.totalNs() - step.timing.draftNs}};
}

/// Every draft in order, whatever step it belongs to.
Json allDraftsJson(const SpeculationRecord& record) {
    Json out = Json::array();
    for (const auto& step : record.steps()) {
        for (std::size_t i = 0; i < step.speculation.drafts.size(); ++i) {
            out.push_back(draftJson(step.speculation, i));
        }
    }
    return out;
}

Json gainJson(const SpeculationGain& gain) {
    return {{"with", number(gain.tokensPerSecond)},
            {"n_verify_steps", gain.verifySteps},
            {"without", number(gain.plainTokensPerSecond)},
            {"n_plain_steps", gain.plainSteps},
            {"gain", number(gain.gain)},
            {"break_even_acceptance", number(gain.breakEven)}};
}

}  // namespace

void SpeculationRecord::add(const StepTrace& step) {
    m_counter.add(step);
    if (step.speculation) m_steps.push_back({step.step, *step.speculation, step.timing});
}

int depthAsked(const GenerationParams& params) {
    if (params.speculate == Speculate::Off) return 0;
    if (params.drafts > 0) return params.drafts;
    return params.speculate == Speculate::Mtp ? 1 : 4;
}

SpeculationRates ratesOf(const SpeculationStats& stats) {
    DraftOutcomes outcomes;
    for (std::size_t d = 0; d < stats.outcomes.size(); ++d) {
        const auto& row = stats.outcomes[d];
        outcomes.emplace_back(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(d) + 1);
    }
    return speculationRates(outcomes);
}

Json ratesJson(const SpeculationRates& rates, int depth) {
    Json out;
    for (const SpeculationFigure& figure : speculationFigures(rates)) {
        out[figure.name] = figureJson(figure);
    }
    out["num_spec_tokens"] = depth;
    out["draft_acceptance_rate_95"] = intervalJson(rates.rate95);
    out["mean_acceptance_length_without_bonus"] = number(rates.lengthWithoutBonus);
    out["positions"] = positionsJson(rates);
    return out;
}

Json speculationJson(const GenerationParams& params, const SpeculationStats& stats,
                     const SpeculationRecord& record) {
    const SpeculationRates rates = ratesOf(stats);
    const SpeculationValue value = record.value();
    Json steps = Json::array();
    for (const auto& step : record.steps()) steps.push_back(verifyStepJson(step));
    Json out = {{"mode", name(params.speculate)},
                {"mtp_recycle", name(params.mtpRecycle)},
                {"temperature", params.sampling.temperature},
                {"steps", stats.steps},
                {"drafted", stats.drafted},
                {"accepted", stats.accepted},
                {"acceptance", number(rates.rate)},
                {"main_forwards", stats.mainForwards},
                {"plain_steps", stats.plainSteps}};
    out.update(ratesJson(rates, depthAsked(params)));
    out["plain_step_ns"] = {{"median", number(value.plain.medianNs)}, {"n", value.plain.medianN}};
    out["tokens_per_second"] = gainJson(value.gain);
    out["verify_steps"] = std::move(steps);
    out["drafts"] = allDraftsJson(record);
    return out;
}

std::string acceptanceText(const SpeculationRates& rates) {
    if (rates.drafted == 0) return {};
    return fmt::format("drafts {}/{} accepted ({:.0f} %), {:.2f} tokens a step", rates.accepted,
                       rates.drafted, 100 * rates.rate, rates.length);
}

std::string gainText(const SpeculationGain& gain) {
    if (!std::isfinite(gain.gain)) return {};
    return fmt::format("drafting {:+.0f} % ({} plain steps)", 100 * gain.gain, gain.plainSteps);
}

}  // namespace gatescope::cli
