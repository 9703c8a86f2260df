// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_history.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "engine/analysis/bias_rows.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr const char* kFileName = "bias-history.safetensors";
constexpr const char* kFormat = "bias-history/1";
// More snapshots than a screen has pixels say nothing; memory stays bounded.
constexpr std::int64_t kMostSnapshots = 4096;
constexpr std::int64_t kMostValues = std::int64_t{1} << 27;

class Reader {
  public:
    Reader(const std::filesystem::path& file, const RoutingShape& shape)
        : m_name(file.filename().string()), m_file(file), m_shape(shape) {}

    BiasHistory read() {
        const auto format = m_file.metadata().find("format");
        if (format == m_file.metadata().end() || format->second != kFormat) {
            throw fileError(m_name, "format", fmt::format("is not \"{}\"", kFormat));
        }
        BiasHistory out;
        out.shape = m_shape;
        out.steps = steps();
        out.bias = values("bias", out.steps.size());
        out.load = values("load", out.steps.size());
        const auto negative =
            std::find_if(out.load.begin(), out.load.end(), [](float value) { return value < 0; });
        if (negative != out.load.end()) {
            throw fileError(m_name, "load", fmt::format("holds a load of {}", *negative));
        }
        return out;
    }

  private:
    const TensorView& tensor(const char* name, const char* dtype, std::size_t rank) const {
        const TensorView* view = m_file.find(name);
        if (view == nullptr) {
            throw fileError(m_name, name, "the tensor is missing");
        }
        if (view->dtype != dtype || view->shape.size() != rank) {
            throw fileError(m_name, name,
                            fmt::format("is {} with {} dimensions, expected {} with {}",
                                        view->dtype, view->shape.size(), dtype, rank));
        }
        return *view;
    }

    std::vector<std::int32_t> steps() const {
        const TensorView& view = tensor("step", "I32", 1);
        if (view.shape[0] < 1 || view.shape[0] > kMostSnapshots) {
            throw fileError(m_name, "step",
                            fmt::format("{} snapshots are not between 1 and {}", view.shape[0],
                                        kMostSnapshots));
        }
        std::vector<std::int32_t> out(static_cast<std::size_t>(view.shape[0]));
        std::memcpy(out.data(), view.bytes.data(), out.size() * sizeof(std::int32_t));
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (out[i] < 0 || (i > 0 && out[i] <= out[i - 1])) {
                throw fileError(m_name, "step",
                                fmt::format("step {} at snapshot {} does not ascend", out[i], i));
            }
        }
        return out;
    }

    /// [S, absolute layer, E] to [S, row, E].
    std::vector<float> values(const char* name, std::size_t snapshots) const {
        const TensorView& view = tensor(name, "F32", 3);
        const std::int64_t layers = m_shape.totalLayers + (m_shape.mtpLayer >= 0 ? 1 : 0);
        const std::vector<std::int64_t> expected{static_cast<std::int64_t>(snapshots), layers,
                                                 m_shape.experts};
        if (view.shape != expected) {
            throw fileError(
                m_name, name,
                fmt::format("has shape [{}, {}, {}], expected [{}, {}, {}]", view.shape[0],
                            view.shape[1], view.shape[2], expected[0], expected[1], expected[2]));
        }
        if (view.elements() > kMostValues) {
            throw fileError(m_name, name, fmt::format("{} values are too many", view.elements()));
        }
        const auto experts = static_cast<std::size_t>(m_shape.experts);
        const std::size_t rows = routerRows(m_shape);
        std::vector<float> out(snapshots * rows * experts);
        for (std::size_t i = 0; i < snapshots * rows; ++i) {
            const auto layer = static_cast<std::size_t>(layerOfRouterRow(m_shape, i % rows));
            const std::size_t from = (i / rows) * static_cast<std::size_t>(layers) + layer;
            std::memcpy(out.data() + i * experts,
                        view.bytes.data() + from * experts * sizeof(float),
                        experts * sizeof(float));
        }
        checkFinite(name, out, rows * experts);
        return out;
    }

    void checkFinite(const char* name, const std::vector<float>& all, std::size_t each) const {
        const auto bad =
            std::find_if(all.begin(), all.end(), [](float value) { return !std::isfinite(value); });
        if (bad != all.end()) {
            const auto at = static_cast<std::size_t>(bad - all.begin());
            throw fileError(m_name, name, fmt::format("holds {} in snapshot {}", *bad, at / each));
        }
    }

    std::string m_name;
    SafetensorsFile m_file;
    const RoutingShape& m_shape;
};

std::span<const float> rowOf(const std::vector<float>& all, const BiasHistory& history,
                             std::size_t snapshot, int row) {
    const auto experts = static_cast<std::size_t>(history.shape.experts);
    const std::size_t first =
        (snapshot * static_cast<std::size_t>(history.rows()) + static_cast<std::size_t>(row)) *
        experts;
    return std::span(all).subspan(first, experts);
}

}  // namespace

std::span<const float> BiasHistory::biasAt(std::size_t snapshot, int row) const {
    return rowOf(bias, *this, snapshot, row);
}

std::span<const float> BiasHistory::loadAt(std::size_t snapshot, int row) const {
    return rowOf(load, *this, snapshot, row);
}

double BiasHistory::maxVio(std::size_t snapshot, int row) const {
    double sum = 0;
    double largest = 0;
    const auto loads = loadAt(snapshot, row);
    for (const float value : loads) {
        sum += static_cast<double>(value);
        largest = std::max(largest, static_cast<double>(value));
    }
    return sum > 0 ? largest * static_cast<double>(loads.size()) / sum - 1
                   : std::numeric_limits<double>::quiet_NaN();
}

double BiasHistory::differenceFromModel(int row, std::span<const float> modelBias) const {
    if (steps.empty() || modelBias.size() != static_cast<std::size_t>(shape.experts)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    double largest = 0;
    const auto last = biasAt(steps.size() - 1, row);
    for (std::size_t e = 0; e < last.size(); ++e) {
        largest = std::max(
            largest, std::abs(static_cast<double>(last[e]) - static_cast<double>(modelBias[e])));
    }
    return largest;
}

std::optional<BiasHistory> readBiasHistory(const std::filesystem::path& path,
                                           const RoutingShape& shape) {
    std::error_code error;
    const bool folder = std::filesystem::is_directory(path, error);
    const std::filesystem::path file = folder ? path / kFileName : path;
    if (folder && !std::filesystem::exists(file, error)) {
        return std::nullopt;
    }
    return Reader(file, shape).read();
}

}  // namespace gatescope
