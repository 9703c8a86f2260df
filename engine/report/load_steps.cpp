// SPDX-License-Identifier: Apache-2.0
#include "engine/report/load_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "engine/error.h"

namespace gatescope {
namespace {

constexpr std::size_t kMostBlocks = 64;

static_assert(std::endian::native == std::endian::little);

template <typename T>
double numberAs(std::span<const std::byte> bytes, std::size_t index) {
    T value;  // of any alignment
    std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
    return static_cast<double>(value);
}

ExpertLoads zeros(int layers, int experts) {
    ExpertLoads loads{layers, experts, {}};
    loads.values.resize(static_cast<std::size_t>(layers) * static_cast<std::size_t>(experts));
    return loads;
}

/// Adds the rows of one step from `first` on.
void addStep(const StepArray& array, std::int64_t step, int first, ExpertLoads& block) {
    std::size_t i = 0;
    for (int layer = first; layer < array.layers; ++layer) {
        for (int expert = 0; expert < array.experts; ++expert) {
            block.values[i++] += array.count(step, layer, expert);
        }
    }
}

/// The first layer of a step that has a count; the number of layers if none has. Looks at all
/// counts, so that a wrong one is found wherever it is.
int firstUsedLayer(const StepArray& array, std::int64_t step) {
    int first = array.layers;
    for (int layer = 0; layer < array.layers; ++layer) {
        for (int expert = 0; expert < array.experts; ++expert) {
            if (array.count(step, layer, expert) > 0) {
                first = std::min(first, layer);
            }
        }
    }
    return first;
}

}  // namespace

std::size_t bytesOf(NumberType type) {
    switch (type) {
        case NumberType::kInt32:
        case NumberType::kUint32:
        case NumberType::kFloat32:
            return 4;
        default:
            return 8;
    }
}

double numberAt(std::span<const std::byte> bytes, NumberType type, std::size_t index) {
    switch (type) {
        case NumberType::kInt32:
            return numberAs<std::int32_t>(bytes, index);
        case NumberType::kInt64:
            return numberAs<std::int64_t>(bytes, index);
        case NumberType::kUint32:
            return numberAs<std::uint32_t>(bytes, index);
        case NumberType::kUint64:
            return numberAs<std::uint64_t>(bytes, index);
        case NumberType::kFloat32:
            return numberAs<float>(bytes, index);
        default:
            return numberAs<double>(bytes, index);
    }
}

double checkedCount(double value, const std::string& file, const std::string& item) {
    if (!(value >= 0) || !std::isfinite(static_cast<float>(value))) {
        throw fileError(file, item, fmt::format("{} is no count", value));
    }
    return value;
}

void checkLoadExtents(std::int64_t steps, std::int64_t layers, std::int64_t experts,
                      const std::string& file, const std::string& item) {
    if (steps < 1 || layers < 1 || experts < 1) {
        throw fileError(file, item, "it is empty");
    }
    if (layers > kMostLoadLayers) {
        throw fileError(file, item,
                        fmt::format("has {} layers, {} at most", layers, kMostLoadLayers));
    }
    if (experts > kMostLoadExperts) {
        throw fileError(file, item,
                        fmt::format("has {} experts, {} at most", experts, kMostLoadExperts));
    }
}

void StepArray::setShape(std::span<const std::int64_t> shape) {
    if (shape.size() != 2 && shape.size() != 3) {
        throw fileError(file, item,
                        fmt::format("its dimensions ({}) are not [layers, experts] or [steps, "
                                    "layers, experts]",
                                    shape.size()));
    }
    hasSteps = shape.size() == 3;
    steps = hasSteps ? shape[0] : 1;
    const std::int64_t rows = shape[shape.size() - 2];
    const std::int64_t columns = shape.back();
    checkLoadExtents(steps, rows, columns, file, item);
    layers = static_cast<int>(rows);
    experts = static_cast<int>(columns);
}

double StepArray::count(std::int64_t step, int layer, int expert) const {
    const double value = at(step, layer, expert);
    // The place becomes text only for a complaint: this runs for every number of the file.
    if (value >= 0 && std::isfinite(static_cast<float>(value))) {
        return value;
    }
    const std::string place =
        fmt::format("{}{}[{}][{}]", item, hasSteps ? fmt::format("[{}]", step) : "", layer, expert);
    return checkedCount(value, file, place);
}

RecordedLoads loadsOfSteps(const StepArray& array) {
    RecordedLoads loads;
    for (std::int64_t step = 0; step < array.steps; ++step) {
        loads.blocks.push_back(zeros(array.layers, array.experts));
        addStep(array, step, 0, loads.blocks.back());
    }
    return loads;
}

RecordedLoads loadsOfSglang(const StepArray& array) {
    std::vector<std::int64_t> used;  // steps
    int first = array.layers;
    for (std::int64_t step = 0; step < array.steps; ++step) {
        const int layer = firstUsedLayer(array, step);
        if (layer < array.layers) {
            used.push_back(step);
        }
        first = std::min(first, layer);
    }
    if (used.empty()) {
        throw fileError(array.file, array.item, "every count is zero: nothing was recorded");
    }
    RecordedLoads loads;
    loads.layers.resize(static_cast<std::size_t>(array.layers - first));
    std::iota(loads.layers.begin(), loads.layers.end(), first);
    const std::size_t blocks = std::min(used.size(), kMostBlocks);
    loads.blocks.assign(blocks, zeros(array.layers - first, array.experts));
    for (std::size_t i = 0; i < used.size(); ++i) {
        addStep(array, used[i], first, loads.blocks[i * blocks / used.size()]);
    }
    return loads;
}

}  // namespace gatescope
