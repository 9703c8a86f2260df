// SPDX-License-Identifier: Apache-2.0
#include "engine/report/model_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/analysis/bias_drift.h"
#include "engine/analysis/bias_update.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/error.h"
#include "engine/report/expert_bytes.h"

namespace gatescope {

namespace {
constexpr double kGamma = 0.001;  // of most of DeepSeek-V3's training; its size changes no sign
}

std::string quantisationText(std::string_view configJson) {
    const auto config = nlohmann::json::parse(configJson, nullptr, false);
    if (!config.is_object()) return {};
    const auto quantised = config.find("quantization_config");
    if (quantised != config.end() && quantised->is_object()) {
        const auto method = quantised->find("quant_method");
        const std::string name =
            method != quantised->end() && method->is_string() ? method->get<std::string>() : "";
        const auto block = quantised->find("weight_block_size");
        const bool blocks = block != quantised->end() && block->is_array() && block->size() == 2 &&
                            (*block)[0].is_number_integer() && (*block)[1].is_number_integer();
        std::string out = name == "fp8" ? "FP8 (E4M3)" : name;
        if (blocks) {
            out += fmt::format(", blocks of {} x {}", (*block)[0].get<std::int64_t>(),
                               (*block)[1].get<std::int64_t>());
        }
        return out;
    }
    const auto type = config.find("torch_dtype");
    return type != config.end() && type->is_string() ? type->get<std::string>() : std::string();
}

ReportedModel reportedModel(const SessionInfo& session) {
    ReportedModel out;
    out.name = session.modelName;
    out.fingerprint = session.modelFingerprint;
    out.configJson = session.configJson;
    out.quantisation = quantisationText(session.configJson);
    out.shape = session.shape;
    out.expertBytes = expertWeightBytes(session.configJson);
    return out;
}

std::vector<std::vector<float>> biasesOf(const SessionInfo& session,
                                         const std::filesystem::path& dir) {
    if (!session.shape.hasBias) return {};
    const std::filesystem::path from = dir.empty() ? std::filesystem::path(session.modelPath) : dir;
    try {
        if (Checkpoint(from).fingerprint() != session.modelFingerprint) return {};
        RouterBiases biases = readRouterBiases(from);
        const bool fits = biases.shape.layers == session.shape.layers &&
                          biases.shape.mtpLayer == session.shape.mtpLayer &&
                          biases.shape.experts == session.shape.experts;
        return fits ? std::move(biases.byRow) : std::vector<std::vector<float>>();
    } catch (const Error&) {
        return {};  // moved or gone: the report says that it does not know them
    }
}

std::vector<std::int64_t> trainedLoads(const RoutingLoad& load, int row) {
    const bool mtp = row == static_cast<int>(load.shape.layers.size());
    const unsigned phases = mtp ? 1U << static_cast<unsigned>(Phase::Draft)
                                : (1U << static_cast<unsigned>(Phase::Prefill)) |
                                      (1U << static_cast<unsigned>(Phase::Decode));
    std::vector<std::int64_t> out;
    for (int expert = 0; expert < load.shape.experts; ++expert) {
        out.push_back(load.count(row, expert, phases));
    }
    return out;
}

void describeBias(ReportedBiasRow& row, std::vector<float> bias,
                  const std::vector<std::int64_t>& load) {
    row.deviation = row.largest = row.loadCorrelation = std::numeric_limits<double>::quiet_NaN();
    if (bias.size() != load.size() || bias.empty()) return;
    const std::vector<double> values(bias.begin(), bias.end());
    const double mean =
        std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    double squares = 0;
    row.largest = 0;
    for (const double value : values) {
        squares += (value - mean) * (value - mean);
        row.largest = std::max(row.largest, std::abs(value - mean));
    }
    row.deviation = std::sqrt(squares / static_cast<double>(values.size()));
    std::vector<double> moved = values;
    updateBias(moved, load, kGamma);
    for (std::size_t i = 0; i < moved.size(); ++i) {
        row.raised += moved[i] > values[i] ? 1 : 0;
        row.lowered += moved[i] < values[i] ? 1 : 0;
    }
    row.loadCorrelation = rankCorrelation(values, std::vector<double>(load.begin(), load.end()));
    row.bias = std::move(bias);
}

}  // namespace gatescope
