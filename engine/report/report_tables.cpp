// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_tables.h"

#include <utility>

#include "engine/report/report_definitions.h"
#include "engine/report/report_fields.h"

namespace gatescope {
namespace {

using Row = std::vector<ReportCell>;

std::int64_t whole(bool value) {
    return value ? 1 : 0;
}

template <class Word>
std::string wordOf(Word word) {
    return std::string(report_fields::wordsOf(word)[static_cast<std::size_t>(word)]);
}

ReportTable metricsTable(const BalanceValue& balance) {
    ReportTable table{
        "metrics",
        {"layer", "mtp", "metric", "value", "n", "null_mean", "null_p95", "excess", "beyond"},
        {}};
    for (const BalanceRow& row : balance.rows) {
        for (const BalanceMetricName& name : kBalanceMetrics) {
            const BalanceMetric& metric = row.*name.value;
            table.rows.push_back({std::int64_t{row.layer}, whole(row.mtp), std::string(name.id),
                                  metric.value, row.tokens, metric.nullMean, metric.nullP95,
                                  metric.excess, whole(metric.beyond)});
        }
    }
    return table;
}

ReportTable expertsTable(const BalanceValue& balance) {
    ReportTable table{"experts",
                      {"layer", "mtp", "expert", "count", "relative_load", "relative_gate_mass",
                       "p_value", "q_value", "verdict"},
                      {}};
    for (const BalanceRow& row : balance.rows) {
        std::int64_t id = 0;
        for (const ExpertBalance& expert : row.experts) {
            table.rows.push_back({std::int64_t{row.layer}, whole(row.mtp), id++, expert.count,
                                  expert.relativeLoad, expert.relativeGateMass, expert.pValue,
                                  expert.qValue, wordOf(expert.verdict)});
        }
    }
    return table;
}

/// Calls visit(part, its phase, 1 where it is special tokens) for all parts of a load.
template <class Visit>
void forEachPart(const RoutingLoad& load, Visit&& visit) {
    for (const bool special : {false, true}) {
        for (std::size_t phase = 0; phase < load.phases.size(); ++phase) {
            visit(special ? load.special[phase] : load.phases[phase],
                  std::string(report_fields::kPhases[phase]), whole(special));
        }
    }
}

ReportTable countsTable(const RoutingLoad& load) {
    ReportTable table{
        "counts", {"layer", "mtp", "phase", "special", "expert", "count", "gate_mass"}, {}};
    const auto experts = static_cast<std::size_t>(load.shape.experts);
    forEachPart(load, [&](const PhaseLoad& part, const std::string& phase, std::int64_t special) {
        for (std::size_t i = 0; i < part.counts.size(); ++i) {
            const std::size_t row = i / experts;
            table.rows.push_back({std::int64_t{load.layerOfRow(static_cast<int>(row))},
                                  whole(row >= load.shape.layers.size()), phase, special,
                                  static_cast<std::int64_t>(i % experts), part.counts[i],
                                  part.gateMass[i]});
        }
    });
    return table;
}

ReportTable phasesTable(const RoutingLoad& load) {
    ReportTable table{"phases", {"phase", "special", "tokens", "mtp_tokens"}, {}};
    forEachPart(load, [&](const PhaseLoad& part, const std::string& phase, std::int64_t special) {
        table.rows.push_back({phase, special, part.tokens, part.mtpTokens});
    });
    return table;
}

/// The members of a struct that are a single value, as columns.
class Columns {
  public:
    static constexpr bool kWrites = true;

    template <class Value>
    void operator()(const char* key, const Value& value) {
        if constexpr (std::is_same_v<Value, std::string>) {
            add(key, value);
        } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
            add(key, std::to_string(value));  // beyond what a signed number holds
        } else if constexpr (std::is_enum_v<Value>) {
            add(key, wordOf(value));
        } else if constexpr (std::is_floating_point_v<Value>) {
            add(key, static_cast<double>(value));
        } else if constexpr (std::is_arithmetic_v<Value>) {
            add(key, static_cast<std::int64_t>(value));
        } else if constexpr (std::is_same_v<Value, Interval>) {
            add(std::string(key) + "_low", value.low);
            add(std::string(key) + "_high", value.high);
        } else if constexpr (std::is_same_v<Value, TimeSummary> ||
                             std::is_same_v<Value, JensenShannon>) {
            const std::string outer = std::exchange(m_prefix, m_prefix + key + "_");
            fields(*this, value);
            m_prefix = outer;
        }
    }
    void add(const std::string& key, ReportCell value) {
        names.push_back(m_prefix + key);
        cells.push_back(std::move(value));
    }

    std::vector<std::string> names;
    Row cells;

  private:
    template <class Value>
    static void fields(Columns& columns, const Value& value) {
        report_fields::fields(columns, value);
    }
    std::string m_prefix;
};

void addRow(ReportTable& table, Columns columns) {
    table.columns = std::move(columns.names);
    table.rows.push_back(std::move(columns.cells));
}

template <class Values>
ReportTable tableOf(const char* name, const Values& values) {
    ReportTable table{name, {}, {}};
    for (const auto& value : values) {
        Columns columns;
        report_fields::fields(columns, value);
        addRow(table, std::move(columns));
    }
    return table;
}

ReportTable answersTable(const ReportValue& report) {
    ReportTable table{"answers", {}, {}};
    for (const ReportedSession& session : report.sessions) {
        for (const ReportedAnswer& answer : session.answers) {
            Columns columns;
            columns.add("session", session.id);
            report_fields::fields(columns, answer);
            addRow(table, std::move(columns));
        }
    }
    return table;
}

ReportTable biasValuesTable(const ReportValue& report) {
    ReportTable table{"bias_values", {"layer", "mtp", "expert", "bias"}, {}};
    for (const ReportedBiasRow& row : report.bias) {
        std::int64_t expert = 0;
        for (const float bias : row.bias) {
            table.rows.push_back(
                {std::int64_t{row.layer}, whole(row.mtp), expert++, static_cast<double>(bias)});
        }
    }
    return table;
}

ReportTable pairsTable(const ReportValue& report) {
    ReportTable table{"pairs", {}, {}};
    for (const ReportedPairs& row : report.pairs) {
        for (const ExpertPair& pair : row.pairs) {
            Columns columns;
            report_fields::fields(columns, row);
            report_fields::fields(columns, pair);
            addRow(table, std::move(columns));
        }
    }
    return table;
}

ReportTable speculationTable(const ReportedSpeculation& speculation) {
    ReportTable table{"speculation", {}, {}};
    const auto add = [&](const std::string& source, const SpeculationRates& rates) {
        Columns columns;
        columns.add("source", source);
        report_fields::fields(columns, rates);
        addRow(table, std::move(columns));
    };
    add("all", speculation.all);
    for (std::size_t i = 0; i < speculation.bySource.size(); ++i) {
        add(std::string(report_fields::kDraftSources[i]), speculation.bySource[i]);
    }
    return table;
}

void addPlacement(const PlacementPlan& plan, std::vector<ReportTable>& tables) {
    ReportTable balance{"placement_balance", {}, {}};
    ReportTable gpus{"placement_gpus", {"placement", "gpu", "load"}, {}};
    const auto add = [&](const std::string& which, const PredictedBalance& predicted) {
        Columns columns;
        columns.add("placement", which);
        report_fields::fields(columns, predicted);
        addRow(balance, std::move(columns));
        std::int64_t gpu = 0;
        for (const double load : predicted.gpuLoads) {
            gpus.rows.push_back({which, gpu++, load});
        }
    };
    if (plan.before) {
        add("before", *plan.before);
    }
    add("after", plan.after);
    ReportTable slots{"placement_slots", {"layer", "gpu", "slot", "expert"}, {}};
    for (int row = 0; row < plan.placement.layers; ++row) {
        for (int slot = 0; slot < plan.placement.slots; ++slot) {
            slots.rows.push_back(
                {std::int64_t{plan.layers.layers[static_cast<std::size_t>(row)]},
                 std::int64_t{slot / plan.placement.slotsPerGpu()}, std::int64_t{slot},
                 std::int64_t{plan.placement.row(row)[static_cast<std::size_t>(slot)]}});
        }
    }
    tables.push_back(std::move(balance));
    tables.push_back(std::move(gpus));
    tables.push_back(std::move(slots));
}

ReportTable definitionsTable() {
    ReportTable table{"definitions", {"id", "definition"}, {}};
    for (const ReportDefinition& definition : kReportDefinitions) {
        table.rows.push_back({std::string(definition.id), std::string(definition.text)});
    }
    return table;
}

}  // namespace

std::vector<ReportTable> reportTables(const ReportValue& report) {
    std::vector<ReportTable> tables{metricsTable(report.balance),
                                    expertsTable(report.balance),
                                    countsTable(*report.load),
                                    phasesTable(*report.load),
                                    tableOf("sessions", report.sessions),
                                    answersTable(report),
                                    tableOf("bias", report.bias),
                                    biasValuesTable(report),
                                    pairsTable(report)};
    if (report.speculation) {
        tables.push_back(speculationTable(*report.speculation));
        tables.push_back(tableOf("verify_costs", report.speculation->costs));
    }
    if (report.comparison) {
        tables.push_back(tableOf("comparison_layers", report.comparison->pair.layers));
        tables.push_back(tableOf("comparison_experts", report.comparison->pair.experts));
    }
    if (report.placement) {
        addPlacement(*report.placement, tables);
    }
    tables.push_back(definitionsTable());
    std::erase_if(tables, [](const ReportTable& table) { return table.rows.empty(); });
    return tables;
}

}  // namespace gatescope
