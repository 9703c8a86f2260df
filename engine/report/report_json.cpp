// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "engine/analysis/placement.h"
#include "engine/checkpoint/json.h"
#include "engine/report/report_definitions.h"
#include "engine/report/report_fields.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {
namespace {

using Json = nlohmann::ordered_json;
using report_fields::fields;
using report_fields::kPhases;
using report_fields::kVerdicts;

constexpr std::string_view kFormatName = "moe-routing-report/";
constexpr std::string_view kFormat = "moe-routing-report/1";
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kMostExperts = 4096;
constexpr std::size_t kMostLayers = 1024;
constexpr std::int64_t kMostChoices = 32;
constexpr std::int64_t kMostTokens = std::int64_t{1} << 50;  ///< sums of all parts fit 64 bits
constexpr int kParts = 2 * kPhaseCount;

template <class Load>
auto& partOf(Load& load, int part) {
    const auto phase = static_cast<std::size_t>(part % kPhaseCount);
    return part < kPhaseCount ? load.phases[phase] : load.special[phase];
}

std::string partName(int part) {
    const std::string name(kPhases[static_cast<std::size_t>(part % kPhaseCount)]);
    return part < kPhaseCount ? name : "special_" + name;
}

// --- writing

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
    for (int p = 0; p < kParts; ++p) {
        const PhaseLoad& part = partOf(load, p);
        if (part.counts.empty()) {
            continue;
        }
        Json& json = phases[partName(p)];
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
    for (int p = 0; p < kParts; ++p) {
        const PhaseLoad& part = partOf(load, p);
        phases[partName(p)] = {{"tokens", part.tokens},
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

// --- reading

RoutingLoad loadFrom(const JsonValue& json);

class Reader {
  public:
    static constexpr bool kWrites = false;
    explicit Reader(const JsonValue& json) : m_json(json) { m_json.find("format"); }

    template <class Value>
    void operator()(const char* key, Value& value) {
        if (const std::optional<JsonValue> item = m_json.find(key)) {
            read(*item, value);
        } else {
            absent(key, value);
        }
    }

    template <class Value>
    static void read(const JsonValue& json, Value& value) {
        if constexpr (std::is_enum_v<Value>) {
            value = wordFrom<Value>(json);
        } else if constexpr (std::is_same_v<Value, bool>) {
            value = json.boolean();
        } else if constexpr (std::is_floating_point_v<Value>) {
            value = numberFrom<Value>(json);
        } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
            value = unsignedFrom(json);
        } else if constexpr (std::is_arithmetic_v<Value>) {
            using Limits = std::numeric_limits<Value>;
            value = static_cast<Value>(json.integer(Limits::min(), Limits::max()));
        } else {
            Reader inner(json);
            fields(inner, value);
        }
    }
    static void read(const JsonValue& json, std::string& text) { text = json.string(); }
    static void read(const JsonValue& json, std::shared_ptr<const RoutingLoad>& load) {
        load = std::make_shared<const RoutingLoad>(loadFrom(json));
    }
    template <class Value>
    static void read(const JsonValue& json, std::optional<Value>& value) {
        read(json, value.emplace());
    }
    template <class Value>
    static void read(const JsonValue& json, std::vector<Value>& values) {
        values.clear();
        for (std::size_t i = 0; i < json.size(); ++i) {
            elementOf(json, i, values.emplace_back());
        }
    }
    template <class Value, std::size_t size>
    static void read(const JsonValue& json, std::array<Value, size>& values) {
        if (json.size() != size) {
            throw json.error(fmt::format("has {} elements instead of {}", json.size(), size));
        }
        for (std::size_t i = 0; i < size; ++i) {
            elementOf(json, i, values[i]);
        }
    }

  private:
    template <class Value>
    static void elementOf(const JsonValue& json, std::size_t index, Value& value) {
        const JsonValue item = json.at(index);
        if constexpr (std::is_floating_point_v<Value>) {
            if (item.isNull()) {
                value = std::numeric_limits<Value>::quiet_NaN();
                return;
            }
        }
        read(item, value);
    }

    template <class Value>
    void absent(const char* key, Value& value) {
        if constexpr (std::is_floating_point_v<Value>) {
            value = std::numeric_limits<Value>::quiet_NaN();
        } else {
            m_json.at(key);  // says that it is missing
        }
    }
    template <class Value>
    void absent(const char*, std::optional<Value>& value) {
        value.reset();
    }
    void absent(const char*, std::shared_ptr<const RoutingLoad>& load) { load.reset(); }

    template <class Value>
    static Value wordFrom(const JsonValue& json) {
        const auto words = report_fields::wordsOf(Value{});
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (json.string() == words[i]) {
                return static_cast<Value>(i);
            }
        }
        throw json.error("is none of the words that stand there");
    }

    template <class Value>
    static Value numberFrom(const JsonValue& json) {
        if (json.isString()) {
            if (json.string() == "inf" || json.string() == "-inf") {
                const Value infinity = std::numeric_limits<Value>::infinity();
                return json.string() == "inf" ? infinity : -infinity;
            }
        }
        const double value = json.number();
        if (std::abs(value) > static_cast<double>(std::numeric_limits<Value>::max())) {
            throw json.error("is too large a number");
        }
        return static_cast<Value>(value);
    }

    static std::uint64_t unsignedFrom(const JsonValue& json) {
        if (json.raw().is_number_unsigned()) {
            return json.raw().get<std::uint64_t>();
        }
        return static_cast<std::uint64_t>(json.integer(0));
    }

    JsonValue m_json;
};

template <class Value>
Value readAs(const JsonValue& json) {
    Value value;
    Reader::read(json, value);
    return value;
}

void checkRouting(const JsonValue& json, const RoutingShape& shape) {
    json.at("experts").integer(1, kMostExperts);
    json.at("top_k").integer(1, std::min<std::int64_t>(kMostChoices, shape.experts));
    if (shape.layers.size() > kMostLayers) {
        throw json.at("layers").error(fmt::format("names more than {} layers", kMostLayers));
    }
    int before = -1;
    for (const int layer : shape.layers) {
        if (layer <= before) {
            throw json.at("layers").error("does not ascend from 0");
        }
        before = layer;
    }
    json.at("mtp_layer").integer(-1, std::numeric_limits<int>::max());
}

std::vector<StepSize> sizesFrom(const JsonValue& json) {
    std::vector<StepSize> sizes;
    std::int64_t tokens = 0;
    json.forEachElement([&](std::size_t, const JsonValue& size) {
        const StepSize step{size.at(0).integer(1, kMostTokens), size.at(1).integer(1, kMostTokens)};
        if (!sizes.empty() && step.tokens <= sizes.back().tokens) {
            throw size.error("is not larger than the step before");
        }
        if (step.steps > (kMostTokens - tokens) / step.tokens) {
            throw size.error("makes more tokens than can be counted");
        }
        tokens += step.steps * step.tokens;
        sizes.push_back(step);
    });
    return sizes;
}

void checkLength(const JsonValue& array, std::size_t size) {
    if (array.size() != size) {
        throw array.error(fmt::format("has {} elements instead of {}", array.size(), size));
    }
}

/// One row of one phase. Row by row, all or none have it.
void addRow(PhaseLoad& part, const JsonValue& json, const RoutingLoad& load, std::size_t row) {
    const auto experts = static_cast<std::size_t>(load.shape.experts);
    const std::int64_t tokens = row < load.shape.layers.size() ? part.tokens : part.mtpTokens;
    if (part.counts.size() != row * experts) {
        throw json.error("is missing in an earlier layer");
    }
    const JsonValue counts = json.at("counts");
    const JsonValue mass = json.at("gate_mass");
    checkLength(counts, experts);
    checkLength(mass, experts);
    for (std::size_t e = 0; e < experts; ++e) {
        part.counts.push_back(counts.at(e).integer(0, tokens));
        part.gateMass.push_back(mass.at(e).isNull() ? kNaN : readAs<double>(mass.at(e)));
    }
    if (part.stepMaxVio.size() == row && json.raw().contains("step_max_vio")) {
        const std::optional<JsonValue> vio = json.find("step_max_vio");
        part.stepMaxVio.push_back(vio ? readAs<double>(*vio) : kNaN);
    }
}

void readParts(const JsonValue& json, RoutingLoad& load) {
    const JsonValue phases = json.at("phases");
    for (int p = 0; p < kParts; ++p) {
        if (const std::optional<JsonValue> item = phases.find(partName(p))) {
            PhaseLoad& part = partOf(load, p);
            part.tokens = item->at("tokens").integer(0, kMostTokens);
            part.mtpTokens = item->at("mtp_tokens").integer(0, kMostTokens);
            part.stepSizes = sizesFrom(item->at("step_sizes"));
            part.mtpStepSizes = sizesFrom(item->at("mtp_step_sizes"));
        }
    }
}

RoutingLoad loadFrom(const JsonValue& json) {
    RoutingLoad load;
    load.shape = readAs<RoutingShape>(json.at("routing"));
    checkRouting(json.at("routing"), load.shape);
    readParts(json, load);
    const JsonValue layers = json.at("layers");
    const auto rows = static_cast<std::size_t>(load.rows());
    checkLength(layers, rows);
    for (std::size_t row = 0; row < rows; ++row) {
        const JsonValue phases = layers.at(row).at("phases");
        for (int p = 0; p < kParts; ++p) {
            if (const std::optional<JsonValue> item = phases.find(partName(p))) {
                addRow(partOf(load, p), *item, load, row);
            }
        }
    }
    for (int p = 0; p < kParts; ++p) {
        const PhaseLoad& part = partOf(load, p);
        const std::size_t cells = rows * static_cast<std::size_t>(load.shape.experts);
        const bool steps = !part.stepSizes.empty() || !part.mtpStepSizes.empty();
        if ((!part.counts.empty() && part.counts.size() != cells) ||
            (!part.stepMaxVio.empty() && part.stepMaxVio.size() != rows) ||
            (steps && part.stepMaxVio.size() != rows)) {
            throw layers.error(fmt::format("has {} in some layers only", partName(p)));
        }
    }
    return load;
}

/// Steps that nobody recorded are none, so that the balance finds a number for each row.
void fillSteps(RoutingLoad& load) {
    for (int p = 0; p < kParts; ++p) {
        PhaseLoad& part = partOf(load, p);
        if (!part.counts.empty()) {
            part.stepMaxVio.resize(static_cast<std::size_t>(load.rows()));
        }
    }
}

void checkComparison(const JsonValue& json, const ReportedComparison& comparison) {
    const JsonValue pair = json.at("pair");
    checkRouting(pair.at("shape"), comparison.pair.shape);
    const RoutingShape& shape = comparison.pair.shape;
    const std::size_t rows = shape.layers.size() + (shape.mtpLayer >= 0 ? 1 : 0);
    const std::size_t cells = rows * static_cast<std::size_t>(shape.experts);
    checkLength(pair.at("layers"), rows);
    checkLength(pair.at("difference"), cells);
    for (const auto& [key, load] :
         {std::pair("load_a", comparison.pair.loadA), std::pair("load_b", comparison.pair.loadB)}) {
        if (!load) {
            throw pair.error(fmt::format("{} is missing", key));
        }
        if (load->shape.layers != shape.layers || load->shape.mtpLayer != shape.mtpLayer ||
            load->shape.experts != shape.experts) {
            throw pair.at(key).error("is of another model than the comparison");
        }
    }
    for (const ShiftedExpert& expert : comparison.pair.experts) {
        if (expert.expert < 0 || expert.expert >= shape.experts) {
            throw pair.at("experts").error(fmt::format("names expert {}", expert.expert));
        }
    }
}

void checkPlan(const JsonValue& json, const PlacementPlan& plan) {
    try {
        checkPlacement(plan.placement);
        checkLayers(plan.layers, plan.placement.layers);
    } catch (const Error& error) {
        throw json.at("placement").error(error.what());
    }
    const auto gpus = static_cast<std::size_t>(plan.placement.gpus);
    checkLength(json.at("after").at("gpu_loads"), gpus);
    if (plan.before) {
        checkLength(json.at("before").at("gpu_loads"), gpus);
    }
}

void checkFormat(const JsonValue& root) {
    const JsonValue format = root.at("format");
    if (format.string() == kFormat) {
        return;
    }
    if (format.string().rfind(kFormatName, 0) == 0) {
        throw format.error("is a version that this program does not read");
    }
    throw format.error("is no report of the format " + std::string(kFormat));
}

void checkReport(const JsonValue& root, const ReportValue& report) {
    checkRouting(root.at("model").at("shape"), report.model.shape);
    const auto experts = static_cast<std::size_t>(report.load->shape.experts);
    for (std::size_t i = 0; i < report.bias.size(); ++i) {
        if (!report.bias[i].bias.empty()) {
            checkLength(root.at("bias").at(i).at("bias"), experts);
        }
    }
    for (std::size_t i = 0; i < report.pairs.size(); ++i) {
        for (const ExpertPair& pair : report.pairs[i].pairs) {
            if (pair.first < 0 || pair.second < 0 || pair.first >= report.load->shape.experts ||
                pair.second >= report.load->shape.experts) {
                throw root.at("pairs").at(i).error("names an expert that the model lacks");
            }
        }
    }
    if (report.comparison) {
        checkComparison(root.at("comparison"), *report.comparison);
    }
    if (report.placement) {
        checkPlan(root.at("placement"), *report.placement);
    }
}

}  // namespace

std::string reportJson(const ReportValue& report) {
    Json json = {{"format", kFormat}};
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

ReportValue reportFromJson(std::string_view bytes, const std::string& file) {
    const JsonDocument document = JsonDocument::parse(bytes, file);
    const JsonValue root = document.root();
    checkFormat(root);
    auto report = readAs<ReportValue>(root);
    RoutingLoad load = loadFrom(root);
    fillSteps(load);
    report.load = std::make_shared<const RoutingLoad>(std::move(load));
    checkReport(root, report);
    if (!(report.falseDiscoveryRate > 0 && report.falseDiscoveryRate < 1)) {
        throw root.at("false_discovery_rate").error("does not lie between 0 and 1");
    }
    report.balance = balanceOf(*report.load, report.phases, report.falseDiscoveryRate);
    return report;
}

}  // namespace gatescope
