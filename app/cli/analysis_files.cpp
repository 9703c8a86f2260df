// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <fstream>

#include "app/cli/analysis_report.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"

namespace gatescope::cli {
namespace {

/// All digits; empty where there is no figure.
std::string number(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : std::string();
}

std::string count(std::int64_t value) {
    return value < 0 ? std::string() : fmt::format("{}", value);
}

/// Text in quotes. A leading apostrophe keeps spreadsheets from running it as a formula.
std::string text(std::string_view value) {
    std::string out = "\"";
    if (!value.empty() && std::string_view("=+-@").find(value.front()) != std::string_view::npos) {
        out += '\'';
    }
    for (const char c : printable(value, 1000)) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + "\"";
}

/// A CSV file, written line by line.
class CsvFile {
  public:
    CsvFile(std::filesystem::path file, std::string_view header)
        : m_file(std::move(file)), m_stream(m_file, std::ios::binary | std::ios::trunc) {
        m_stream << header << "\r\n";
    }
    void add(const std::vector<std::string>& fields) {
        m_stream << fmt::format("{}\r\n", fmt::join(fields, ","));
    }
    void close() {
        m_stream.close();
        if (!m_stream) throw fileError(m_file.string(), "", "could not be written");
    }

  private:
    std::filesystem::path m_file;
    std::ofstream m_stream;
};

void writeLayers(const AnalysisReport& report, const std::filesystem::path& file) {
    const SpecialisationValue& value = *report.specialisation;
    CsvFile csv(file,
                "layer,mtp,n,n_cells,pearson,spearman,pearson_centred,n_pairs,jsd_bits,"
                "jsd_weighted_bits,jsd_bias_bits,jsd_corrected_bits,hot,cold,not_seen,dead,"
                "n_bias,bias_decided_fraction,within_groups,group_flips,affinity_cost,"
                "max_vio_without,max_vio_with,balance_gain");
    for (std::size_t row = 0; row < report.balance.rows.size(); ++row) {
        const BalanceRow& m = report.balance.rows[row];
        const Replication& halves = value.replication[row];
        const DomainDivergence& apart = value.divergence[row];
        std::vector<std::string> fields = {count(m.layer),
                                           m.mtp ? "1" : "0",
                                           count(m.tokens),
                                           count(halves.cells),
                                           number(halves.pearson),
                                           number(halves.spearman),
                                           number(halves.pearsonCentred),
                                           count(apart.pairs),
                                           number(apart.equal),
                                           number(apart.weighted),
                                           number(apart.bias),
                                           number(apart.corrected),
                                           count(m.hot),
                                           count(m.cold),
                                           count(m.notSeen),
                                           count(m.dead)};
        const BiasRowDiagnostics* bias = biasRow(report, row);
        if (bias == nullptr) {
            fields.resize(fields.size() + 8);
        } else {
            fields.insert(fields.end(), {count(bias->scored), number(bias->biasDecidedScored),
                                         number(bias->withinGroups), number(bias->groupFlips),
                                         number(bias->affinityCost), number(bias->maxVioWithout),
                                         number(bias->maxVioWith), number(bias->balanceGain)});
        }
        csv.add(fields);
    }
    csv.close();
}

void writeBalance(const AnalysisReport& report, const std::filesystem::path& file) {
    CsvFile csv(file, "layer,mtp,metric,n,n_steps,value,null_mean,null_95,excess");
    for (const BalanceRow& row : report.balance.rows) {
        const std::pair<const char*, const BalanceMetric*> metrics[] = {
            {"max_vio", &row.maxVio},
            {"step_max_vio", &row.stepMaxVio},
            {"min_vio", &row.minVio},
            {"avg_vio", &row.avgVio},
            {"cv", &row.cv},
            {"gini", &row.gini},
            {"entropy", &row.entropy},
            {"effective_experts", &row.effectiveExperts},
            {"distinct", &row.distinct}};
        for (const auto& [name, metric] : metrics) {
            csv.add({count(row.layer), row.mtp ? "1" : "0", name, count(row.tokens),
                     count(row.steps), number(metric->value), number(metric->nullMean),
                     number(metric->nullP95), number(metric->excess)});
        }
    }
    csv.close();
}

void writeAffinities(const SpecialisationValue& value, const std::filesystem::path& file) {
    CsvFile csv(file, "layer,expert,domain,half,n,chosen,affinity,lift");
    for (int row = 0; row < value.rows(); ++row) {
        for (int expert = 0; expert < value.shape.experts; ++expert) {
            for (int domain = 0; domain < value.domainCount(); ++domain) {
                for (int half = 0; half < 2; ++half) {
                    csv.add({count(value.layerOfRow(row)), count(expert),
                             text(value.domains[static_cast<std::size_t>(domain)]), count(half),
                             count(value.tokens(row, domain, half)),
                             count(value.count(row, expert, domain, half)),
                             number(value.affinity(row, expert, domain, half)),
                             number(value.lift(row, expert, domain, half))});
                }
            }
        }
    }
    csv.close();
}

void writeSpecialists(const SpecialisationValue& value, const std::filesystem::path& file) {
    CsvFile csv(file,
                "layer,expert,domain,n,chosen,affinity,lift,ratio,share,p_value,p_adjusted,"
                "n_half_0,lift_half_0,ratio_half_0,n_half_1,lift_half_1,ratio_half_1,replicated,"
                "name");
    for (const Specialist& found : value.specialists) {
        std::vector<std::string> fields = {
            count(found.layer),
            count(found.expert),
            text(value.domains[static_cast<std::size_t>(found.domain)]),
            count(found.tokens),
            count(found.chosen),
            number(found.affinity),
            number(found.lift),
            number(found.ratio),
            number(found.share),
            number(found.pValue),
            number(found.adjusted)};
        for (const HalfEvidence& half : found.halves) {
            fields.insert(fields.end(),
                          {count(half.tokens), number(half.lift), number(half.ratio)});
        }
        fields.insert(fields.end(), {found.replicated ? "1" : "0", text(found.name)});
        csv.add(fields);
    }
    csv.close();
}

void writeVocabulary(const SpecialisationValue& value, const std::filesystem::path& file) {
    CsvFile csv(file, "layer,expert,kind,token_id,token,n,chosen,share,shrunk,lift");
    for (int kind = 0; kind < kVocabularyKeys; ++kind) {
        const auto& cells = value.vocabulary[static_cast<std::size_t>(kind)];
        const auto experts = static_cast<std::size_t>(value.shape.experts);
        for (std::size_t cell = 0; cell < cells.size(); ++cell) {
            for (const VocabularyEntry& entry : cells[cell]) {
                csv.add({count(value.layerOfRow(static_cast<int>(cell / experts))),
                         count(static_cast<std::int64_t>(cell % experts)),
                         kind == static_cast<int>(VocabularyKey::Input) ? "input" : "next",
                         count(entry.id), text(entry.bytes), count(entry.tokens),
                         count(entry.chosen), number(entry.share), number(entry.shrunk),
                         number(entry.lift)});
            }
        }
    }
    csv.close();
}

void writeNextLayers(const AnalysisReport& report, const std::filesystem::path& file) {
    CsvFile csv(file,
                "layer,next_layer,n,mutual_information_nats,bias_nats,n_newest,shifts,"
                "mutual_information_newest_nats,shifted_mean_nats,shifted_95_nats,p_value,n_recall,"
                "recall,recall_load_alone,recall_chance");
    for (std::size_t row = 0; row < report.next.size(); ++row) {
        const NextLayerSummary& next = report.next[row];
        const ShiftBaseline& shifted = next.shifted;
        csv.add({count(report.balance.rows[row].layer), count(next.nextLayer), count(next.n),
                 number(next.mutualInformation), number(next.mutualInformationBias),
                 count(shifted.n), count(shifted.shifts), number(shifted.observed),
                 number(shifted.mean), number(shifted.p95), number(shifted.pValue),
                 count(next.predicted), number(next.recall), number(next.popularRecall),
                 number(next.chanceRecall)});
    }
    csv.close();
}

/// Every size; "main": the main layers together.
void writeExpertCache(const AnalysisReport& report, const std::filesystem::path& file) {
    CsvFile csv(file, "layer,experts,n,lru,lfu,pinned_hindsight,n_second_half,pinned_first_half");
    for (const ExpertReadsValue& reads : report.reads) {
        for (int size = 1; size <= reads.experts(); ++size) {
            csv.add({count(reads.layer), count(size), count(reads.n),
                     number(reads.lruHitRate(size)), number(reads.lfuHitRate(size)),
                     number(reads.pinnedHitRate(size)), count(reads.forecast.n),
                     number(reads.forecast.hitRate(size))});
        }
    }
    for (std::size_t size = 1; size < report.mainReads.size(); ++size) {
        const ExpertReadsTotal& total = report.mainReads[size];
        csv.add({"main", count(total.cacheExpertsPerLayer), count(total.n),
                 number(total.lruHitRate()), number(total.lfuHitRate()),
                 number(total.pinnedHitRate()), count(total.forecastN),
                 number(total.forecastHitRate())});
    }
    csv.close();
}

void writeAcceptance(const AnalysisReport& report, const std::filesystem::path& file) {
    CsvFile csv(file,
                "group,name,verify_steps,n,accepted,rate,rate_low_95,rate_high_95,"
                "mean_acceptance_length");
    const AcceptanceReport& acceptance = *report.acceptance;
    for (std::size_t i = 0; i < acceptance.byDomain.size(); ++i) {
        const SpeculationRates& rates = acceptance.byDomain[i];
        csv.add({"domain", text(report.set->domains[i]), count(rates.steps), count(rates.drafted),
                 count(rates.accepted), number(rates.rate), number(rates.rate95.low),
                 number(rates.rate95.high), number(rates.length)});
    }
    for (const ClassRates& rates : acceptance.all.byClass) {
        csv.add({"token_class", text(name(rates.tokenClass)), "", count(rates.judged),
                 count(rates.accepted), number(rates.rate), number(rates.rate95.low),
                 number(rates.rate95.high), ""});
    }
    csv.close();
}

}  // namespace

void writeAnalysisFiles(const AnalysisReport& report, const std::filesystem::path& folder) {
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    if (problem) throw fileError(folder.string(), "", problem.message());
    writeLayers(report, folder / "layers.csv");
    writeBalance(report, folder / "balance.csv");
    writeAffinities(*report.specialisation, folder / "affinities.csv");
    writeSpecialists(*report.specialisation, folder / "specialists.csv");
    writeVocabulary(*report.specialisation, folder / "vocabulary.csv");
    writeNextLayers(report, folder / "next-layers.csv");
    writeExpertCache(report, folder / "expert-cache.csv");
    if (report.acceptance) writeAcceptance(report, folder / "acceptance.csv");
}

}  // namespace gatescope::cli
