// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "engine/analysis/placement.h"
#include "engine/checkpoint/json.h"
#include "engine/report/report_json.h"
#include "engine/report/report_json_parts.h"

namespace gatescope {
namespace {

using report_fields::fields;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kMostExperts = 4096;
constexpr std::size_t kMostLayers = 1024;
constexpr std::int64_t kMostChoices = 32;
constexpr std::int64_t kMostTokens = std::int64_t{1} << 50;  ///< sums of all parts fit 64 bits

RoutingLoad loadFrom(const JsonValue& json);

class Reader {
  public:
    static constexpr bool kWrites = false;
    explicit Reader(const JsonValue& json) : m_json(json) {
        m_json.find("format");  // says so if this is no object
    }

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
    for (int p = 0; p < kLoadParts; ++p) {
        if (const std::optional<JsonValue> item = phases.find(loadPartName(p))) {
            PhaseLoad& part = loadPart(load, p);
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
        for (int p = 0; p < kLoadParts; ++p) {
            if (const std::optional<JsonValue> item = phases.find(loadPartName(p))) {
                addRow(loadPart(load, p), *item, load, row);
            }
        }
    }
    for (int p = 0; p < kLoadParts; ++p) {
        const PhaseLoad& part = loadPart(load, p);
        const std::size_t cells = rows * static_cast<std::size_t>(load.shape.experts);
        const bool steps = !part.stepSizes.empty() || !part.mtpStepSizes.empty();
        if ((!part.counts.empty() && part.counts.size() != cells) ||
            (!part.stepMaxVio.empty() && part.stepMaxVio.size() != rows) ||
            (steps && part.stepMaxVio.size() != rows)) {
            throw layers.error(fmt::format("has {} in some layers only", loadPartName(p)));
        }
    }
    return load;
}

/// Steps that nobody recorded are none, so that the balance finds a number for each row.
void fillSteps(RoutingLoad& load) {
    for (int p = 0; p < kLoadParts; ++p) {
        PhaseLoad& part = loadPart(load, p);
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
    if (format.string() == kReportFormat) {
        return;
    }
    if (format.string().rfind(kReportFormatName, 0) == 0) {
        throw format.error("is a version that this program does not read");
    }
    throw format.error("is no report of the format " + std::string(kReportFormat));
}

void checkReport(const JsonValue& root, const ReportValue& report) {
    const RoutingShape& model = report.model.shape;
    const RoutingShape& counted = report.load->shape;
    checkRouting(root.at("model").at("shape"), model);
    if (model.layers != counted.layers || model.mtpLayer != counted.mtpLayer ||
        model.experts != counted.experts || model.topK != counted.topK) {
        throw root.at("model").at("shape").error("is not that of the loads");
    }
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
