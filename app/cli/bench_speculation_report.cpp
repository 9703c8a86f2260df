// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/bench_speculation.h"
#include "app/cli/bench_speeds.h"
#include "app/cli/speculation_report.h"
#include "app/cli/text_table.h"
#include "engine/analysis/prompt_set.h"
#include "engine/checkpoint/printable.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json();
}

std::string text(double value, const char* unit = "", int digits = 2) {
    return std::isfinite(value) ? fmt::format("{:.{}f}{}", value, digits, unit) : std::string("-");
}

/// Of all verify steps, whatever they drafted: medians by source and depth stand in the JSON.
double meanMs(const SpeculationValue& value, TimeSummary VerifyCost::*part) {
    double sum = 0;
    std::int64_t n = 0;
    for (const VerifyCost& cost : value.costs) {
        sum += (cost.*part).meanNs * static_cast<double>((cost.*part).n);
        n += (cost.*part).n;
    }
    return n > 0 ? sum / static_cast<double>(n) * 1e-6 : std::nan("");
}

/// Expert reads of a verify step in reads of a plain step.
double readsPerStep(const SpeculationBench& bench, const SpeculationValue& recorded) {
    const double plain = static_cast<double>(bench.moeLayers) * bench.topK;
    return recorded.reads.steps > 0 && plain > 0 ? recorded.reads.distinct / plain : std::nan("");
}

Json runsJson(const std::vector<double>& runs) {
    return {{"median", number(median(runs))}, {"runs", runs}};
}

Json expertsJson(const SpeculationBench& bench, const SpeculationValue& recorded) {
    const LayerReads& reads = recorded.reads;
    return {{"n_verify_steps", reads.steps},
            {"distinct_per_verify_step", number(reads.distinct)},
            {"plain_step", bench.moeLayers * bench.topK},
            {"per_verify_step_to_plain_step", number(readsPerStep(bench, recorded))},
            {"plain_for_the_same_tokens", number(reads.plain)},
            {"per_token_to_plain", number(reads.ratio)},
            {"uniform_router", number(reads.uniform)},
            {"wasted_per_verify_step", number(reads.wasted)}};
}

Json costsJson(const SpeculationValue& timed) {
    Json out = Json::array();
    for (const VerifyCost& cost : timed.costs) {
        out.push_back({{"source", name(cost.source)},
                       {"depth", cost.depth},
                       {"n", cost.total.n},
                       {"mean_acceptance_length", number(cost.length)},
                       {"draft_ms", number(cost.draft.medianNs * 1e-6)},
                       {"verify_ms", number(cost.verify.medianNs * 1e-6)},
                       {"break_even_acceptance", number(cost.breakEven)}});
    }
    return out;
}

Json modeJson(const SpeculationBench& bench, const SpeculationMode& mode,
              const ModeFigures& figures) {
    GenerationParams params;
    params.speculate = mode.speculate;
    params.drafts = mode.drafts;
    Json out = {{"mode", mode.name},
                {"tokens_per_second", runsJson(figures.tokensPerSecond)},
                {"ratio_to_off", runsJson(figures.ratios)}};
    out.update(ratesJson(ratesOf(figures.stats), depthAsked(params)));
    out["plain_steps"] = figures.stats.plainSteps;
    out["plain_step_ms"] = number(figures.timed.plain.medianNs * 1e-6);
    out["costs"] = costsJson(figures.timed);
    out["experts"] = expertsJson(bench, figures.recorded);
    return out;
}

Json differencesJson(const SpeculationBench& bench) {
    Json list = Json::array();
    for (const TextDifference& difference : bench.differences) {
        list.push_back({{"mode", difference.mode},
                        {"prompt", difference.prompt},
                        {"first_token", difference.position},
                        {"margin", number(difference.margin)},
                        {"tokens_that_differ", difference.positions}});
    }
    return {{"answers_compared", bench.answersCompared},
            {"answers_that_differ", bench.differences.size()},
            {"differences", list}};
}

std::string domainText(const SpeculationBench& bench, const DomainFigures& domain) {
    TextTable table({"mode", "tok/s", "x off", "tau", "accepted", "of", "rate", "plain steps",
                     "reads/step", "reads/token", "draft ms", "verify ms", "plain ms"});
    for (std::size_t i = 0; i < domain.modes.size(); ++i) {
        const ModeFigures& figures = domain.modes[i];
        const SpeculationRates rates = ratesOf(figures.stats);
        table.add({bench.modes[i].name, text(median(figures.tokensPerSecond)),
                   text(median(figures.ratios), "", 3), text(rates.length),
                   fmt::format("{}", rates.accepted), fmt::format("{}", rates.drafted),
                   text(100 * rates.rate, " %", 1), fmt::format("{}", figures.stats.plainSteps),
                   text(readsPerStep(bench, figures.recorded)), text(figures.recorded.reads.ratio),
                   text(meanMs(figures.timed, &VerifyCost::draft)),
                   text(meanMs(figures.timed, &VerifyCost::verify)),
                   text(figures.timed.plain.medianNs * 1e-6)});
    }
    return fmt::format("\n{} ({} prompts, {} decoded tokens)\n",
                       printable(domain.domain, kMaxDomainBytes), domain.prompts, domain.tokens) +
           table.text();
}

std::string differencesText(const SpeculationBench& bench) {
    std::string out = fmt::format("\n{} of {} answers differ from the text of off\n",
                                  bench.differences.size(), bench.answersCompared);
    constexpr std::size_t kShown = 10;
    for (std::size_t i = 0; i < std::min(kShown, bench.differences.size()); ++i) {
        const TextDifference& difference = bench.differences[i];
        out += fmt::format(
            "  {}, prompt {}: {} tokens, the first at {}, where off had a margin of {} (log of the "
            "two best probabilities' ratio)\n",
            difference.mode, difference.prompt, difference.positions, difference.position,
            text(difference.margin, "", 4));
    }
    return out;
}

}  // namespace

std::string speculationBenchJson(const SpeculationBench& bench, const BenchOptions& options) {
    Json domains = Json::array();
    for (const DomainFigures& domain : bench.domains) {
        Json modes = Json::array();
        for (std::size_t i = 0; i < domain.modes.size(); ++i) {
            modes.push_back(modeJson(bench, bench.modes[i], domain.modes[i]));
        }
        domains.push_back({{"domain", domain.domain},
                           {"n_prompts", domain.prompts},
                           {"n_tokens", domain.tokens},
                           {"modes", std::move(modes)}});
    }
    const Json json = {{"model", bench.subject.name},
                       {"layers", bench.layers},
                       {"dtype", bench.subject.dtype},
                       {"weight_bytes", bench.subject.weightBytes},
                       {"device", bench.device},
                       {"precision", bench.precision},
                       {"random_weights", bench.randomWeights},
                       {"acceptance_means_something", !bench.randomWeights},
                       {"gen_tokens", options.genTokens},
                       {"repetitions", options.repetitions},
                       {"temperature", 0},
                       {"domains", std::move(domains)},
                       {"texts", differencesJson(bench)}};
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string speculationBenchText(const SpeculationBench& bench, const BenchOptions& options) {
    std::string out = fmt::format(
        "{} ({}), {}, precision {}\n"
        "greedy, up to {} tokens an answer, medians of {} repetitions, modes in turn, recorder "
        "off\n",
        printable(bench.subject.name), bench.subject.dtype, bench.device, bench.precision,
        options.genTokens, options.repetitions);
    if (bench.randomWeights) {
        out +=
            "Random weights and random prompts: times are those of a real model, acceptance means "
            "nothing.\n";
    }
    for (const DomainFigures& domain : bench.domains) out += domainText(bench, domain);
    out +=
        "\nx off: median of the ratios within a repetition; tau: tokens a verify step, the bonus "
        "token included;\nreads/step: different experts a verify step reads, in a plain step's; "
        "reads/token: in plain decoding's for the same tokens\n";
    return out + differencesText(bench);
}

}  // namespace gatescope::cli
