// SPDX-License-Identifier: Apache-2.0
// readPlacement(): placements of other programs, and our own exports, read again.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <span>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/report/load_readers.h"
#include "engine/report/placement_formats.h"

namespace gatescope {

namespace {

constexpr int kMostSlots = 1 << 20;

/// Rows as they stand in the file, by the layer's absolute index or by the order of the MoE layers.
struct FoundRows {
    std::map<std::int64_t, std::vector<std::int32_t>> rows;
    bool absolute = false;
};

std::vector<std::int32_t> expertsOf(const JsonValue& list, int experts) {
    std::vector<std::int32_t> row;
    list.forEachElement([&](std::size_t, const JsonValue& expert) {
        row.push_back(static_cast<std::int32_t>(expert.integer(0, experts - 1)));
    });
    return row;
}

FoundRows rowsOfList(const JsonValue& list, int experts, bool absolute) {
    FoundRows found;
    found.absolute = absolute;
    list.forEachElement([&](std::size_t index, const JsonValue& row) {
        found.rows[static_cast<std::int64_t>(index)] = expertsOf(row, experts);
    });
    return found;
}

FoundRows rowsOfAscend(const JsonValue& root, int experts, int gpus) {
    FoundRows found;
    const std::int64_t layers = root.at("moe_layer_count").integer(1, kMostSlots);
    const JsonValue list = root.at("layer_list");
    list.forEachElement([&](std::size_t index, const JsonValue& layer) {
        const JsonValue devices = layer.at("device_list");
        if (static_cast<int>(devices.size()) != gpus)
            throw devices.error(fmt::format("{} devices, not {}", devices.size(), gpus));
        std::vector<std::int32_t> row;
        devices.forEachElement([&](std::size_t, const JsonValue& device) {
            const auto own = expertsOf(device.at("device_expert"), experts);
            row.insert(row.end(), own.begin(), own.end());
        });
        found.rows[static_cast<std::int64_t>(index)] = std::move(row);
    });
    if (std::ssize(found.rows) != layers)
        throw list.error(
            fmt::format("{} layers, but moe_layer_count is {}", found.rows.size(), layers));
    return found;
}

FoundRows rowsOfJson(std::string_view bytes, const std::string& file, int experts, int gpus) {
    const JsonDocument document = JsonDocument::parse(bytes, file);
    const JsonValue root = document.root();
    if (root.isArray()) return rowsOfList(root, experts, false);
    if (root.find("moe_layer_count")) return rowsOfAscend(root, experts, gpus);
    return rowsOfList(root.at("physical_to_logical_map"), experts, true);
}

/// "  3: [5, 6]" of TensorRT-LLM's YAML: such lines are all that is looked at.
class YamlRows {
  public:
    YamlRows(std::string_view bytes, const std::string& file, int experts)
        : m_file(file), m_experts(experts) {
        m_found.absolute = true;
        bool inside = false;
        int number = 0;
        while (!bytes.empty()) {
            const std::size_t end = std::min(bytes.find('\n'), bytes.size());
            const std::string_view line = bytes.substr(0, end);
            bytes.remove_prefix(std::min(end + 1, bytes.size()));
            ++number;
            if (line.starts_with("initial_global_assignments:")) {
                inside = true;
            } else if (inside && line.starts_with(' ')) {
                take(line, number);
            } else {
                inside = false;
            }
        }
        if (m_found.rows.empty())
            throw fileError(file, "initial_global_assignments", "there is none");
    }
    FoundRows& found() { return m_found; }

  private:
    void take(std::string_view line, int number) {
        m_line = number;
        m_rest = line;
        skipSpaces();
        const std::int64_t layer = whole(kMostSlots);
        expect(':');
        expect('[');
        std::vector<std::int32_t> row;
        do {
            row.push_back(static_cast<std::int32_t>(whole(m_experts - 1)));
            if (std::ssize(row) > kMostSlots) refuse("too many slots");
        } while (next(','));
        expect(']');
        if (!m_found.rows.emplace(layer, std::move(row)).second) refuse("a layer comes twice");
    }
    void skipSpaces() {
        const std::size_t first = std::min(m_rest.find_first_not_of(" \t\r"), m_rest.size());
        m_rest.remove_prefix(first);
    }
    bool next(char wanted) {
        skipSpaces();
        if (m_rest.empty() || m_rest.front() != wanted) return false;
        m_rest.remove_prefix(1);
        return true;
    }
    void expect(char wanted) {
        if (!next(wanted)) refuse(fmt::format("expected {}", wanted));
    }
    std::int64_t whole(std::int64_t most) {
        skipSpaces();
        std::int64_t value = -1;
        const auto read = std::from_chars(m_rest.data(), m_rest.data() + m_rest.size(), value);
        if (read.ec != std::errc() || value < 0 || value > most)
            refuse(fmt::format("expected a number from 0 to {}", most));
        m_rest.remove_prefix(static_cast<std::size_t>(read.ptr - m_rest.data()));
        return value;
    }
    [[noreturn]] void refuse(const std::string& cause) const {
        throw fileError(m_file, fmt::format("line {}", m_line), cause);
    }

    const std::string& m_file;
    int m_experts;
    int m_line = 0;
    std::string_view m_rest;
    FoundRows m_found;
};

/// A matrix of numbers, as loads are one too.
FoundRows rowsOfNpy(std::string_view bytes, const std::string& file, int experts) {
    const RecordedLoads matrix = readNpyLoads(std::as_bytes(std::span(bytes)), file);
    if (matrix.blocks.size() != 1) throw fileError(file, "", "expected one matrix");
    const ExpertLoads& values = matrix.blocks.front();
    FoundRows found;
    for (int layer = 0; layer < values.layers; ++layer) {
        std::vector<std::int32_t>& row = found.rows[layer];
        for (const double value : values.row(layer)) {
            const bool expert = value >= 0 && value < experts && value == std::floor(value);
            if (!expert)
                throw fileError(file, fmt::format("row {}", layer),
                                fmt::format("{} is no expert of {}", value, experts));
            row.push_back(static_cast<std::int32_t>(value));
        }
    }
    return found;
}

Placement placed(const FoundRows& found, const std::string& file, const PlacedLayers& layers,
                 int experts, int gpus, int nodes) {
    Placement placement;
    placement.layers = static_cast<int>(std::ssize(layers.layers));
    placement.experts = experts;
    placement.gpus = gpus;
    placement.nodes = nodes;
    if (!found.absolute && std::ssize(found.rows) != placement.layers)
        throw fileError(file, "",
                        fmt::format("{} layers, but the model has {} with experts",
                                    found.rows.size(), placement.layers));
    for (int row = 0; row < placement.layers; ++row) {
        const int layer = layers.layers[static_cast<std::size_t>(row)];
        const auto at = found.rows.find(found.absolute ? layer : row);
        if (at == found.rows.end())
            throw fileError(file, fmt::format("layer {}", layer), "missing");
        if (row == 0) placement.slots = static_cast<int>(at->second.size());
        if (std::ssize(at->second) != placement.slots)
            throw fileError(file, fmt::format("layer {}", layer),
                            fmt::format("{} slots, not {}", at->second.size(), placement.slots));
        placement.physicalToLogical.insert(placement.physicalToLogical.end(), at->second.begin(),
                                           at->second.end());
    }
    try {
        checkPlacement(placement);
    } catch (const Error& cause) {
        throw fileError(file, "", cause.what());
    }
    return placement;
}

}  // namespace

Placement readPlacement(std::string_view bytes, const std::string& file, const PlacedLayers& layers,
                        int experts, int gpus, int nodes) {
    checkLayers(layers, static_cast<int>(std::ssize(layers.layers)));
    const std::size_t first = std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size());
    const bool json = first < bytes.size() && (bytes[first] == '{' || bytes[first] == '[');
    if (bytes.starts_with("\x93NUMPY"))
        return placed(rowsOfNpy(bytes, file, experts), file, layers, experts, gpus, nodes);
    if (json)
        return placed(rowsOfJson(bytes, file, experts, gpus), file, layers, experts, gpus, nodes);
    return placed(YamlRows(bytes, file, experts).found(), file, layers, experts, gpus, nodes);
}

Placement readPlacementFile(const std::filesystem::path& path, const PlacedLayers& layers,
                            int experts, int gpus, int nodes) {
    const MappedFile mapped(path);
    const std::span<const std::byte> bytes = mapped.bytes();
    return readPlacement({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                         printable(path.filename().native()), layers, experts, gpus, nodes);
}

}  // namespace gatescope
