// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <cmath>

#include "app/cli/analysis_report.h"
#include "app/cli/speculation_report.h"
#include "app/cli/text_table.h"
#include "engine/checkpoint/printable.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string percent(double value) {
    return std::isfinite(value) ? fmt::format("{:.1f} %", 100 * value) : std::string("-");
}

std::string interval(const Interval& range) {
    return std::isfinite(range.low)
               ? fmt::format("{:.1f}..{:.1f} %", 100 * range.low, 100 * range.high)
               : std::string("-");
}

std::string length(double value) {
    return std::isfinite(value) ? fmt::format("{:.2f}", value) : std::string("-");
}

void addRow(TextTable& table, const std::string& label, const SpeculationRates& rates) {
    table.add({label, fmt::format("{}", rates.steps), fmt::format("{}", rates.drafted),
               fmt::format("{}", rates.accepted), percent(rates.rate), interval(rates.rate95),
               length(rates.length), length(rates.lengthWithoutBonus)});
}

std::string classTable(const SpeculationValue& value) {
    TextTable table({"draft is", "judged", "accepted", "rate", "95 %"});
    for (const ClassRates& rates : value.byClass) {
        if (rates.judged == 0) continue;
        table.add({std::string(name(rates.tokenClass)), fmt::format("{}", rates.judged),
                   fmt::format("{}", rates.accepted), percent(rates.rate), interval(rates.rate95)});
    }
    return "Accepted drafts by class of token (those behind a rejected one were not judged)\n" +
           table.text();
}

Json classesJson(const SpeculationValue& value) {
    Json out = Json::array();
    for (const ClassRates& rates : value.byClass) {
        if (rates.judged == 0) continue;
        out.push_back({{"class", name(rates.tokenClass)},
                       {"n", rates.judged},
                       {"accepted", rates.accepted},
                       {"rate", rates.rate},
                       {"rate_95", {rates.rate95.low, rates.rate95.high}}});
    }
    return out;
}

}  // namespace

std::string acceptanceTables(const AnalysisReport& report) {
    if (!report.acceptance) return {};
    const AcceptanceReport& acceptance = *report.acceptance;
    const GenerationParams& params = acceptance.params;
    TextTable table(
        {"domain", "steps", "drafted", "accepted", "rate", "95 %", "tau", "without bonus"});
    for (std::size_t i = 0; i < acceptance.byDomain.size(); ++i) {
        addRow(table, printable(report.set->domains[i], kMaxDomainBytes), acceptance.byDomain[i]);
    }
    addRow(table, "all", acceptance.all.all);
    return fmt::format(
               "\nAccepted drafts by domain ({}, up to {} a step, temperature {:g}; steps: verify "
               "steps; rate: Wilson interval, n = drafted;\ntau: tokens a verify step, the bonus "
               "token included)\n",
               name(params.speculate), depthAsked(params), params.sampling.temperature) +
           table.text() + "\n" + classTable(acceptance.all);
}

Json acceptanceJson(const AnalysisReport& report) {
    if (!report.acceptance) return {};
    const AcceptanceReport& acceptance = *report.acceptance;
    const int depth = depthAsked(acceptance.params);
    Json domains = Json::array();
    for (std::size_t i = 0; i < acceptance.byDomain.size(); ++i) {
        Json domain = {{"domain", report.set->domains[i]}};
        domain.update(ratesJson(acceptance.byDomain[i], depth));
        domains.push_back(std::move(domain));
    }
    return {{"mode", name(acceptance.params.speculate)},
            {"temperature", acceptance.params.sampling.temperature},
            {"all", ratesJson(acceptance.all.all, depth)},
            {"plain_steps", acceptance.all.plainSteps()},
            {"domains", std::move(domains)},
            {"token_classes", classesJson(acceptance.all)}};
}

}  // namespace gatescope::cli
