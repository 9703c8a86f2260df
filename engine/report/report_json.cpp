// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "engine/report/report_definitions.h"
#include "engine/report/report_json_parts.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {
namespace {

using Json = nlohmann::ordered_json;
using report_fields::fields;
using report_fields::kVerdicts;

Json jsonNumber(double value) {
    if (std::isnan(value)) {
        return nullptr;
    }
    if (std::isinf(value)) {
        return value > 0 ? "inf" : "-inf";
    }
    return value;
}

/// For readers: what is computed again on reading.
Json rounded(double value) {
    return std::isfinite(value) ? Json(std::stod(fmt::format("{:.6g}", value))) : jsonNumber(value);
}

Json loadJson(const RoutingLoad& load, const BalanceValue* balance);

class Writer {
  public:
    static constexpr bool kWrites = true;

    template <class Value>
    void operator()(const char* key, const Value& value) {
        json[key] = jsonOf(value);
    }

    template <class Value>
    static Json jsonOf(const Value& value) {
        if constexpr (std::is_enum_v<Value>) {
            return report_fields::wordsOf(value)[static_cast<std::size_t>(value)];
        } else if constexpr (std::is_same_v<Value, float>) {
            // The shortest text that is this float again, not the double it happens to be.
            return std::isfinite(value) ? Json(std::stod(fmt::format("{}", value)))
                                        : jsonNumber(static_cast<double>(value));
        } else if constexpr (std::is_floating_point_v<Value>) {
            return jsonNumber(value);
        } else if constexpr (std::is_arithmetic_v<Value>) {
            return value;
        } else {
            Writer inner;
            fields(inner, value);
            return std::move(inner.json);
        }
    }
    static Json jsonOf(const std::string& text) { return toValidUtf8(text); }
    static Json jsonOf(const std::shared_ptr<const RoutingLoad>& load) {
        return load ? loadJson(*load, nullptr) : Json();
    }
    template <class Value>
    static Json jsonOf(const std::optional<Value>& value) {
        return value ? jsonOf(*value) : Json();
    }
    template <class Value>
    static Json jsonOf(const std::vector<Value>& values) {
        return arrayOf(values);
    }
    template <class Value, std::size_t size>
    static Json jsonOf(const std::array<Value, size>& values) {
        return arrayOf(values);
    }

    Json json = Json::object();

  private:
    template <class Values>
    static Json arrayOf(const Values& values) {
        Json array = Json::array();
        for (const auto& value : values) {
            array.push_back(jsonOf(value));
        }
        return array;
    }
};

Json metricJson(const BalanceMetric& metric) {
    return {{"value", rounded(metric.value)},
            {"null_mean", rounded(metric.nullMean)},
            {"null_p95", rounded(metric.nullP95)},
            {"excess", rounded(metric.excess)},
            {"beyond", metric.beyond}};
}

void addBalance(Json& layer, const BalanceRow& row) {
    layer["tokens"] = row.tokens;
    layer["choices"] = row.choices;
    layer["steps"] = row.steps;
    Json& metrics = layer["metrics"];
    for (const BalanceMetricName& metric : kBalanceMetrics) {
        metrics[std::string(metric.id)] = metricJson(row.*metric.value);
    }
    layer["gate_max_vio"] = rounded(row.gateMaxVio);
    layer["gate_cv"] = rounded(row.gateCv);
    Json& experts = layer["experts"] = Json::array();
    for (const ExpertBalance& expert : row.experts) {
        experts.push_back({{"count", expert.count},
                           {"relative_load", rounded(expert.relativeLoad)},
                           {"relative_gate_mass", rounded(expert.relativeGateMass)},
                           {"p_value", rounded(expert.pValue)},
                           {"q_value", rounded(expert.qValue)},
                           {"verdict", kVerdicts[static_cast<std::size_t>(expert.verdict)]}});
    }
}

template <class Value>
Json rowJson(const std::vector<Value>& values, std::size_t row, std::size_t size) {
    Json json = Json::array();
    for (std::size_t i = 0; i < size; ++i) {
        json.push_back(Writer::jsonOf(values[row * size + i]));
    }
    return json;
}

Json layerPhases(const RoutingLoad& load, int row) {
    Json phases = Json::object();
    const auto r = static_cast<std::size_t>(row);
    const auto experts = static_cast<std::size_t>(load.shape.experts);
    for (int p = 0; p < kLoadParts; ++p) {
        const PhaseLoad& part = loadPart(load, p);
        if (part.counts.empty()) {
            continue;
        }
        Json& json = phases[loadPartName(p)];
        json["tokens"] = r < load.shape.layers.size() ? part.tokens : part.mtpTokens;
        json["counts"] = rowJson(part.counts, r, experts);
        json["gate_mass"] = rowJson(part.gateMass, r, experts);
        if (!part.stepMaxVio.empty()) {
            json["step_max_vio"] = jsonNumber(part.stepMaxVio[r]);
        }
    }
    return phases;
}

Json sizesJson(const std::vector<StepSize>& sizes) {
    Json json = Json::array();
    for (const StepSize& size : sizes) {
        json.push_back({size.tokens, size.steps});
    }
    return json;
}

Json loadJson(const RoutingLoad& load, const BalanceValue* balance) {
    Json json;
    json["routing"] = Writer::jsonOf(load.shape);
    Json& phases = json["phases"] = Json::object();
    for (int p = 0; p < kLoadParts; ++p) {
        const PhaseLoad& part = loadPart(load, p);
        phases[loadPartName(p)] = {{"tokens", part.tokens},
                                   {"mtp_tokens", part.mtpTokens},
                                   {"step_sizes", sizesJson(part.stepSizes)},
                                   {"mtp_step_sizes", sizesJson(part.mtpStepSizes)}};
    }
    Json& layers = json["layers"] = Json::array();
    for (int row = 0; row < load.rows(); ++row) {
        const bool mtp = row >= static_cast<int>(load.shape.layers.size());
        Json layer = {{"layer", load.layerOfRow(row)},
                      {"moe_index", mtp ? Json() : Json(row)},
                      {"mtp", mtp},
                      {"phases", layerPhases(load, row)}};
        if (balance != nullptr) {
            addBalance(layer, balance->rows[static_cast<std::size_t>(row)]);
        }
        layers.push_back(std::move(layer));
    }
    return json;
}

/// Objects and arrays of containers are spread over lines, down to what a layer has; numbers of a
/// layer stand on one line.
void print(const Json& json, int depth, std::string& out) {
    const bool spread =
        !json.empty() && depth < 5 &&
        (json.is_object() ? depth < 4 : json.is_array() && depth < 3 && json[0].is_structured());
    if (!spread) {
        out += json.dump();
        return;
    }
    out += json.is_object() ? '{' : '[';
    const char* separator = "\n";
    for (const auto& [key, value] : json.items()) {
        out += separator;
        out.append(static_cast<std::size_t>(depth) + 1, ' ');
        if (json.is_object()) {
            out += Json(key).dump() + ": ";
        }
        print(value, depth + 1, out);
        separator = ",\n";
    }
    out += '\n';
    out.append(static_cast<std::size_t>(depth), ' ');
    out += json.is_object() ? '}' : ']';
}

}  // namespace

std::string reportJson(const ReportValue& report) {
    Json json = {{"format", kReportFormat}};
    Json definitions = Json::object();
    for (const ReportDefinition& definition : kReportDefinitions) {
        definitions[std::string(definition.id)] = definition.text;
    }
    json["definitions"] = std::move(definitions);
    json.update(Writer::jsonOf(report));
    json.update(loadJson(*report.load, &report.balance));
    std::string out;
    print(json, 0, out);
    return out + '\n';
}

}  // namespace gatescope
