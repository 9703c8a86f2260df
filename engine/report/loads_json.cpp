// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/printable.h"
#include "engine/report/load_readers.h"
#include "engine/report/load_steps.h"

namespace gatescope {
namespace {

// As many values as a JsonDocument takes, with some twenty digits each.
constexpr std::size_t kMostBytes = 128UL << 20;

constexpr std::string_view kFormatName = "gatescope-loads/";
constexpr std::string_view kFormat = "gatescope-loads/1";

std::int64_t extent(const JsonValue& array) {
    return static_cast<std::int64_t>(array.size());
}

/// Throws Error unless an array has as many elements as the first of its kind.
void checkSize(const JsonValue& array, std::int64_t size, const char* what) {
    if (extent(array) != size) {
        throw array.error(fmt::format("has another number of {} ({}) than the first one ({})", what,
                                      array.size(), size));
    }
}

void checkRows(const JsonValue& rows, const StepArray& shape) {
    checkSize(rows, shape.layers, "layers");
    rows.forEachElement([&](std::size_t, const JsonValue& row) {
        checkSize(row, shape.experts, "experts");
        for (std::size_t e = 0; e < row.size(); ++e) {
            if (!row.raw()[e].is_number()) {
                row.at(e).number();  // says what it found instead
            }
        }
    });
}

/// A JSON array [L][E] or [steps][L][E], all rows of one length and all elements numbers. Valid as
/// long as its document.
StepArray arrayOf(const JsonValue& value) {
    StepArray array;
    array.file = value.file();
    array.item = value.path();
    std::vector<std::int64_t> shape = {extent(value)};
    for (JsonValue inner = value; inner.size() > 0 && inner.at(0).isArray() && shape.size() < 4;) {
        inner = inner.at(0);
        shape.push_back(extent(inner));
    }
    array.setShape(shape);
    if (array.hasSteps) {
        value.forEachElement([&](std::size_t, const JsonValue& rows) { checkRows(rows, array); });
    } else {
        checkRows(value, array);
    }
    array.at = [&json = value.raw(), hasSteps = array.hasSteps](std::int64_t step, int layer,
                                                                int expert) {
        const nlohmann::json& rows = hasSteps ? json[static_cast<std::size_t>(step)] : json;
        return rows[static_cast<std::size_t>(layer)][static_cast<std::size_t>(expert)]
            .get<double>();
    };
    return array;
}

std::vector<int> layerNumbers(const JsonValue& numbers, int rows) {
    if (extent(numbers) != rows) {
        throw numbers.error(fmt::format("has another number of layers ({}) than the counts ({})",
                                        numbers.size(), rows));
    }
    std::vector<int> layers;
    numbers.forEachElement([&](std::size_t, const JsonValue& number) {
        const auto layer = static_cast<int>(number.integer(0, kMostLoadLayers - 1));
        if (!layers.empty() && layer <= layers.back()) {
            throw number.error(
                fmt::format("layer {} after layer {}; layers ascend", layer, layers.back()));
        }
        layers.push_back(layer);
    });
    return layers;
}

RecordedLoads envelope(const JsonValue& root) {
    const std::string& format = root.at("format").string();
    if (format != kFormat) {
        throw root.at("format").error(
            format.starts_with(kFormatName)
                ? fmt::format("written by a newer Gatescope (\"{}\", this one reads \"{}\")",
                              printable(format, 40), kFormat)
                : fmt::format("\"{}\" is not \"{}\"", printable(format, 40), kFormat));
    }
    const auto blocks = root.find("blocks");
    if (blocks && root.find("counts")) {
        throw root.error("has both \"counts\" and \"blocks\"");
    }
    const StepArray array = arrayOf(blocks ? *blocks : root.at("counts"));
    if (array.hasSteps != blocks.has_value()) {
        throw fileError(
            array.file, array.item,
            blocks ? "expected [blocks][layers][experts]" : "expected [layers][experts]");
    }
    RecordedLoads loads = loadsOfSteps(array);
    if (const auto layers = root.find("layers")) {
        loads.layers = layerNumbers(*layers, array.layers);
    }
    loads.format = "Gatescope loads (JSON)";
    return loads;
}

RecordedLoads fromObject(const JsonValue& root) {
    if (root.find("format")) {
        return envelope(root);
    }
    if (const auto counts = root.find("logical_count")) {
        RecordedLoads loads = loadsOfSglang(arrayOf(*counts));
        loads.format = "SGLang logical_count (JSON)";
        return loads;
    }
    if (root.find("physical_to_logical_map")) {
        throw root.error("a placement of experts (physical_to_logical_map), not their loads");
    }
    throw root.error("has neither \"logical_count\" nor \"format\": no recorded loads");
}

}  // namespace

RecordedLoads readJsonLoads(const std::filesystem::path& path) {
    const JsonDocument document = JsonDocument::read(path, kMostBytes);
    const JsonValue root = document.root();
    if (root.isObject()) {
        return fromObject(root);
    }
    RecordedLoads loads = loadsOfSteps(arrayOf(root));
    loads.format = "JSON array";
    return loads;
}

}  // namespace gatescope
