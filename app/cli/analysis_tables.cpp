// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/cli/analysis_report.h"
#include "app/cli/terminal.h"
#include "app/cli/text_table.h"
#include "engine/checkpoint/printable.h"

namespace gatescope::cli {
namespace {

constexpr std::size_t kSpecialistsShown = 30;

/// Three significant digits; "-" where there is no figure.
std::string number(double value) {
    if (std::isnan(value)) return "-";
    if (std::isinf(value)) return "inf";
    return std::abs(value) >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

std::string count(std::int64_t value) {
    return value < 0 ? "-" : fmt::format("{}", value);
}

std::string pValue(double value) {
    return value < 1e-300 ? "<1e-300" : fmt::format("{:.2g}", value);
}

std::string layerName(int layer, bool mtp) {
    return mtp ? fmt::format("{} (MTP)", layer) : fmt::format("{}", layer);
}

std::string layersTable(const AnalysisReport& report) {
    TextTable table({"layer", "n", "MaxVio", "null", "95 %", "excess", "steps", "step MaxVio",
                     "null", "CV", "null", "Gini", "null", "entropy", "null", "eff.", "hot", "cold",
                     "unseen"});
    for (const BalanceRow& row : report.balance.rows) {
        table.add({layerName(row.layer, row.mtp), count(row.tokens), number(row.maxVio.value),
                   number(row.maxVio.nullMean), number(row.maxVio.nullP95),
                   number(row.maxVio.excess), count(row.steps), number(row.stepMaxVio.value),
                   number(row.stepMaxVio.nullMean), number(row.cv.value), number(row.cv.nullMean),
                   number(row.gini.value), number(row.gini.nullMean), number(row.entropy.value),
                   number(row.entropy.nullMean), number(row.effectiveExperts.value), count(row.hot),
                   count(row.cold), count(row.notSeen + row.dead)});
    }
    return "Load balance by layer (n tokens; null: mean and 95 % point of a uniform router with as "
           "many tokens;\nMaxVio is of all tokens together, step MaxVio the mean over steps)\n" +
           table.text();
}

std::string biasTable(const AnalysisReport& report) {
    if (report.bias.rows.empty()) return {};
    TextTable table({"layer", "n", "BDF", "in groups", "group flips", "affinity cost",
                     "MaxVio without", "MaxVio with", "gain", "margin, median"});
    for (const BiasRowDiagnostics& row : report.bias.rows) {
        table.add({layerName(row.layer, row.mtp), count(row.scored), number(row.biasDecidedScored),
                   number(row.withinGroups), number(row.groupFlips), number(row.affinityCost),
                   number(row.maxVioWithout), number(row.maxVioWith), number(row.balanceGain),
                   number(row.margin.median)});
    }
    return "What the correction bias decides (BDF: share of the choices that would not be made "
           "without it; gain: MaxVio without - with)\n" +
           table.text() + "\n";
}

std::string domainsTable(const AnalysisReport& report) {
    const SpecialisationValue& value = *report.specialisation;
    TextTable table({"domain", "prompts", "tokens", "1st half", "2nd half"});
    for (int domain = 0; domain < value.domainCount(); ++domain) {
        const auto index = static_cast<std::size_t>(domain);
        table.add({printable(value.domains[index], kMaxDomainBytes),
                   count(report.answeredByDomain[index]), count(value.tokens(0, domain)),
                   count(value.tokens(0, domain, 0)), count(value.tokens(0, domain, 1))});
    }
    return "Domains (ordinary tokens of prompts and answers; special tokens and rejected drafts "
           "left out)\n" +
           table.text();
}

std::string replicationTable(const SpecialisationValue& value) {
    TextTable table(
        {"layer", "cells", "Pearson", "Spearman", "centred", "JSD", "JSD_w", "bias", "corrected"});
    for (int row = 0; row < value.rows(); ++row) {
        const auto index = static_cast<std::size_t>(row);
        const Replication& halves = value.replication[index];
        const DomainDivergence& apart = value.divergence[index];
        const int layer = value.layerOfRow(row);
        table.add({layerName(layer, layer == value.shape.mtpLayer), count(halves.cells),
                   number(halves.pearson), number(halves.spearman), number(halves.pearsonCentred),
                   number(apart.equal), number(apart.weighted), number(apart.bias),
                   number(apart.corrected)});
    }
    return "Replication of domain affinity between the two halves, and how far the domains are "
           "apart (bits, mean over pairs)\n" +
           table.text();
}

std::string nextLayersTable(const AnalysisReport& report) {
    if (report.next.empty()) return {};
    TextTable table({"layers", "n", "information", "bias", "newest n", "information", "shifted",
                     "95 %", "p", "recall n", "recall@k", "load alone", "chance"});
    for (std::size_t row = 0; row < report.next.size(); ++row) {
        const NextLayerSummary& next = report.next[row];
        const ShiftBaseline& shifted = next.shifted;
        table.add({fmt::format("{} to {}", report.balance.rows[row].layer, next.nextLayer),
                   count(next.n), number(next.mutualInformation),
                   number(next.mutualInformationBias), count(shifted.n), number(shifted.observed),
                   number(shifted.mean), number(shifted.p95), number(shifted.pValue),
                   count(next.predicted), number(next.recall), number(next.popularRecall),
                   number(next.chanceRecall)});
    }
    return fmt::format(
               "What a layer's choices tell about the next layer's (information: mutual, in nats, "
               "as counted)\n"
               "shifted: its mean and 95 % point over up to {} circular shifts of the next layer's "
               "tokens, the newest ones only;\n"
               "p: (1 + shifts that reach it) / (shifts + 1); load alone: recall if the most "
               "chosen are named\n",
               kBaselineShifts) +
           table.text() + "\n";
}

std::string cacheTable(const AnalysisReport& report) {
    if (report.reads.empty()) return {};
    const int quarter = (report.reads.front().experts() + 3) / 4;
    TextTable table({"layer", "experts kept", "n", "LRU", "LFU", "pinned, hindsight", "2nd half n",
                     "pinned, 1st half"});
    for (std::size_t row = 0; row < report.reads.size(); ++row) {
        const ExpertReadsValue& reads = report.reads[row];
        table.add({layerName(reads.layer, report.balance.rows[row].mtp), count(quarter),
                   count(reads.n), number(reads.lruHitRate(quarter)),
                   number(reads.lfuHitRate(quarter)), number(reads.pinnedHitRate(quarter)),
                   count(reads.forecast.n), number(reads.forecast.hitRate(quarter))});
    }
    for (const int size : cacheSizes(report.reads.front().experts())) {
        const ExpertReadsTotal& total = report.mainReads[static_cast<std::size_t>(size)];
        table.add({"main", count(size), count(total.n), number(total.lruHitRate()),
                   number(total.lfuHitRate()), number(total.pinnedHitRate()),
                   count(total.forecastN), number(total.forecastHitRate())});
    }
    return "Expert cache: hit rates if so many experts a layer are kept (n: reads, one an expert, "
           "step and layer)\n"
           "pinned, hindsight: those most read, scored on the same reads: no fixed choice does "
           "better\n"
           "pinned, 1st half: those most read in the first half of the steps, scored on the "
           "second half\n"
           "main: the main layers together, each with a cache of its own\n" +
           table.text() + "\n";
}

std::string specialistsTable(const SpecialisationValue& value) {
    const SpecialistRule& rule = value.rule;
    std::string out = fmt::format(
        "Specialists: at least {:g}x the mean affinity to the other domains, false discovery rate "
        "{:g}\n",
        rule.leastRatio, rule.falseDiscoveryRate);
    if (value.specialists.empty()) return out + "none\n";
    const auto replicated = std::count_if(value.specialists.begin(), value.specialists.end(),
                                          [](const Specialist& found) { return found.replicated; });
    out += fmt::format("{} found, {} of them in both halves", value.specialists.size(), replicated);
    out += value.specialists.size() > kSpecialistsShown
               ? fmt::format("; the first {} (--json and --out give all):\n", kSpecialistsShown)
               : std::string(":\n");
    TextTable table({"specialist", "n", "chosen", "affinity", "lift", "p adj.", "1st half",
                     "2nd half", "replicated"});
    for (std::size_t i = 0; i < std::min(value.specialists.size(), kSpecialistsShown); ++i) {
        const Specialist& found = value.specialists[i];
        table.add({found.name, count(found.tokens), count(found.chosen), number(found.affinity),
                   number(found.lift), pValue(found.adjusted), number(found.halves[0].ratio),
                   number(found.halves[1].ratio), found.replicated ? "yes" : "no"});
    }
    return out + table.text();
}

}  // namespace

std::string analysisTables(const AnalysisReport& report) {
    const SpecialisationValue& value = *report.specialisation;
    std::string out = domainsTable(report) + "\n" + layersTable(report) + "\n" + biasTable(report) +
                      nextLayersTable(report) + cacheTable(report) + replicationTable(value) +
                      "\n" + specialistsTable(value) + acceptanceTables(report);
    if (value.vocabularyFull) {
        out += fmt::format("Vocabulary: only the first {} tokens are in it (memory limit)\n",
                           value.vocabularyTokens[0]);
    }
    return out;
}

}  // namespace gatescope::cli
