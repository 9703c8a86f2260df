// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/shadow_bias.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/analysis/bias_drift.h"
#include "engine/analysis/bias_rows.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kMostBatchTokens = 1 << 20;

double maxVio(const std::vector<std::int64_t>& load) {
    std::int64_t sum = 0;
    std::int64_t largest = 0;
    for (const std::int64_t count : load) {
        sum += count;
        largest = std::max(largest, count);
    }
    const double mean = static_cast<double>(sum) / static_cast<double>(load.size());
    return mean > 0 ? static_cast<double>(largest) / mean - 1 : kNaN;
}

void checkParams(const ShadowParams& params) {
    if (!(params.gamma >= 0 && params.gamma <= 1)) {
        throw Error(fmt::format("shadow bias: gamma is {}, not between 0 and 1", params.gamma));
    }
    if (params.batchTokens < 1 || params.batchTokens > kMostBatchTokens) {
        throw Error(fmt::format("shadow bias: a batch of {} tokens is not between 1 and {}",
                                params.batchTokens, kMostBatchTokens));
    }
}

std::shared_ptr<const std::vector<float>> asFloats(const std::vector<double>& values) {
    return std::make_shared<const std::vector<float>>(values.begin(), values.end());
}

bool counts(const RoutedToken& token, bool mtp) {
    if (token.special) {
        return false;
    }
    return mtp ? token.phase == Phase::Draft
               : token.phase == Phase::Prefill || token.phase == Phase::Decode;
}

}  // namespace

ShadowBias::ShadowBias(RoutingShape shape, std::vector<std::vector<float>> biasByRow,
                       ShadowParams params)
    : m_shape(std::move(shape)), m_params(params) {
    checkParams(m_params);
    if (!m_shape.hasBias) {
        return;
    }
    checkBiasRows(m_shape, biasByRow);
    m_start = std::move(biasByRow);
    for (const auto& bias : m_start) {
        Row row;
        row.bias.assign(bias.begin(), bias.end());
        row.load.assign(bias.size(), 0);
        row.totalLoad = row.load;
        row.history.push_back({0, kNaN, asFloats(row.bias)});
        m_rows.push_back(std::move(row));
    }
}

void ShadowBias::add(const StepTrace& step) {
    for (const RoutedToken& token : step.tokens) {
        add(token, false);
    }
    for (const RoutedToken& token : step.mtp) {
        add(token, true);
    }
}

void ShadowBias::add(const RoutedToken& token, bool mtp) {
    if (!m_shape.hasBias || token.routing.rows() == 0 || !counts(token, mtp)) {
        return;
    }
    if (mtp && m_shape.mtpLayer < 0) {
        throw Error("routing: an MTP position in a model without an MTP layer");
    }
    const std::size_t rows = mtp ? 1 : m_shape.layers.size();
    const auto k = static_cast<std::size_t>(m_shape.topK);
    const auto& experts = token.routing.experts;
    if (experts.size() != rows * k) {
        throw Error(fmt::format("routing: {} choices for {} rows of {}", experts.size(), rows, k));
    }
    for (const std::uint16_t expert : experts) {
        if (expert >= m_shape.experts) {
            throw Error(fmt::format("routing: expert {} in a model with {} experts", expert,
                                    m_shape.experts));
        }
    }
    const std::size_t first = mtp ? m_shape.layers.size() : 0;
    for (std::size_t r = 0; r < rows; ++r) {
        count(m_rows[first + r], experts.data() + r * k);
    }
}

void ShadowBias::count(Row& row, const std::uint16_t* experts) {
    for (int j = 0; j < m_shape.topK; ++j) {
        ++row.load[experts[j]];
    }
    if (++row.pending >= m_params.batchTokens) {
        finishBatch(row);
    }
}

void ShadowBias::finishBatch(Row& row) {
    updateBias(row.bias, row.load, m_params.gamma,
               m_params.meanCentred ? BiasRule::MeanCentred : BiasRule::Raw);
    const double violation = maxVio(row.load);
    row.maxVioSum += violation;
    row.lastMaxVio = violation;
    for (std::size_t e = 0; e < row.load.size(); ++e) {
        row.totalLoad[e] += row.load[e];
        row.load[e] = 0;
    }
    row.pending = 0;
    ++row.batches;
    if (row.batches % row.stride != 0) {
        return;
    }
    if (row.history.size() + 1 >= kShadowPoints) {  // every second one, and the steps twice as long
        row.stride *= 2;
        std::erase_if(row.history,
                      [&](const ShadowPoint& point) { return point.batches % row.stride != 0; });
        if (row.batches % row.stride != 0) {
            return;
        }
    }
    row.history.push_back({row.batches, violation, asFloats(row.bias)});
}

ShadowRow ShadowBias::summarise(std::size_t index) const {
    const Row& row = m_rows[index];
    ShadowRow out;
    out.mtp = index >= m_shape.layers.size();
    out.layer = layerOfRouterRow(m_shape, index);
    out.batches = row.batches;
    out.tokens = row.batches * m_params.batchTokens;
    out.pending = row.pending;
    out.bias.assign(row.bias.begin(), row.bias.end());
    double squares = 0;
    for (std::size_t e = 0; e < row.bias.size(); ++e) {
        const double delta = row.bias[e] - static_cast<double>(m_start[index][e]);
        out.delta.push_back(delta);
        out.raised += delta > 0 ? 1 : 0;
        out.lowered += delta < 0 ? 1 : 0;
        out.largest = std::max(out.largest, std::abs(delta));
        squares += delta * delta;
    }
    out.rms = std::sqrt(squares / static_cast<double>(row.bias.size()));
    out.loadCorrelation = rankCorrelation(out.delta, {row.totalLoad.begin(), row.totalLoad.end()});
    out.maxVio = row.batches > 0 ? maxVio(row.totalLoad) : kNaN;
    out.meanBatchMaxVio = row.batches > 0 ? row.maxVioSum / static_cast<double>(row.batches) : kNaN;
    out.history = row.history;
    if (out.history.back().batches != row.batches) {
        out.history.push_back({row.batches, row.lastMaxVio, asFloats(row.bias)});
    }
    return out;
}

ShadowValue ShadowBias::value() const {
    ShadowValue out{m_shape, m_params, {}};
    for (std::size_t row = 0; row < m_rows.size(); ++row) {
        out.rows.push_back(summarise(row));
    }
    return out;
}

std::vector<std::vector<float>> ShadowBias::bias() const {
    std::vector<std::vector<float>> out;
    for (const Row& row : m_rows) {
        out.emplace_back(row.bias.begin(), row.bias.end());
    }
    return out;
}

}  // namespace gatescope
