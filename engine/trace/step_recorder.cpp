// SPDX-License-Identifier: Apache-2.0
#include "engine/trace/step_recorder.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>
#include <utility>

namespace gatescope {

namespace {

std::int64_t nowNs() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

}  // namespace

StepRecorder::StepRecorder(RoutingShape shape, Rule rule, IsSpecial isSpecial, bool keepScores)
    : m_shape(std::move(shape)),
      m_rule(std::move(rule)),
      m_isSpecial(std::move(isSpecial)),
      m_keepScores(keepScores),
      m_ids(static_cast<std::size_t>(m_shape.topK) + 1) {}

StepRecorder::Layer& StepRecorder::layer(int index) {
    const auto found = m_layers.find(index);
    return found != m_layers.end() ? found->second
                                   : m_layers.emplace(index, m_rule(index)).first->second;
}

void StepRecorder::beginStep(std::int64_t step) {
    m_trace = {};
    m_trace.step = step;
}

void StepRecorder::begin(std::vector<RoutedToken>& tokens, std::int64_t first,
                         std::span<const std::int32_t> ids, Phase phase, int rows) {
    const auto start = nowNs();
    m_target = &tokens;
    m_targetFirst = tokens.size();
    m_passScores.clear();
    const auto choices = static_cast<std::size_t>(rows * m_shape.topK);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        RoutedToken token;
        token.position = static_cast<std::int32_t>(first) + static_cast<std::int32_t>(i);
        token.tokenId = ids[i];
        token.phase = phase;
        token.special = m_isSpecial && m_isSpecial(ids[i]);
        token.routing.experts.resize(choices, kNoExpert);
        token.routing.weights.resize(choices);
        token.routing.margins.resize(static_cast<std::size_t>(rows));
        token.routing.biasDecided.resize(static_cast<std::size_t>(rows));
        if (m_keepScores) {
            m_passScores.push_back(std::make_shared<std::vector<float>>(
                static_cast<std::size_t>(rows * m_shape.experts)));
            token.routing.scores = m_passScores.back();
        }
        tokens.push_back(std::move(token));
    }
    m_trace.timing.recorderNs += nowNs() - start;
}

void StepRecorder::beginMain(std::int64_t first, std::span<const std::int32_t> tokens,
                             Phase phase) {
    begin(m_trace.tokens, first, tokens, phase, static_cast<int>(m_shape.layers.size()));
}

void StepRecorder::beginMtp(std::int64_t first, std::span<const std::int32_t> nextTokens,
                            Phase phase) {
    begin(m_trace.mtp, first, nextTokens, phase, 1);
}

void StepRecorder::onRouting(const LayerRouting& routing) {
    const auto start = nowNs();
    const auto at = std::find(m_shape.layers.begin(), m_shape.layers.end(), routing.layer);
    const auto row = at == m_shape.layers.end()
                         ? std::size_t{0}
                         : static_cast<std::size_t>(at - m_shape.layers.begin());
    auto& by = layer(routing.layer);
    for (std::int64_t t = 0; t < routing.tokens; ++t)
        record(routing, by, t, row,
               (*m_target)[m_targetFirst + static_cast<std::size_t>(t)].routing);
    m_trace.timing.recorderNs += nowNs() - start;
}

void StepRecorder::record(const LayerRouting& routing, Layer& layer, std::int64_t token,
                          std::size_t row, TokenRouting& out) {
    const auto k = static_cast<std::size_t>(routing.topK);
    const auto first = row * static_cast<std::size_t>(m_shape.topK);
    const auto* scores = routing.scores + token * routing.experts;
    const auto* ids = routing.ids + token * routing.topK;
    const auto* weights = routing.weights + token * routing.topK;
    for (std::size_t j = 0; j < k; ++j) {
        out.experts[first + j] = static_cast<std::uint16_t>(ids[j]);
        out.weights[first + j] = weights[j];
    }
    out.margins[row] = margin(scores, layer);
    out.biasDecided[row] = layer.rule.bias ? biasDecided(scores, ids, layer) : 0;
    if (m_keepScores) keepScores(routing, token, row);
}

// Between the last chosen and the first not chosen expert, where both stand there by their choice
// scores: none if nothing is left to choose from, if the next one is off, or if all are forced.
float StepRecorder::margin(const float* scores, Layer& layer) {
    constexpr float kUndefined = std::numeric_limits<float>::quiet_NaN();
    const int k = layer.rule.params.topK;
    if (layer.chooser.eligible() <= k) return kUndefined;
    layer.chooser.choose(scores, layer.rule.bias ? layer.rule.bias->data() : nullptr, k + 1,
                         m_ids.data());
    const auto heldAt = [&](int j) {
        const auto expert = static_cast<std::size_t>(m_ids[static_cast<std::size_t>(j)]);
        return layer.rule.withoutBias && (*layer.rule.withoutBias)[expert] != 0;
    };
    const auto choiceAt = [&](int j) {
        return layer.chooser
            .choiceScores()[static_cast<std::size_t>(m_ids[static_cast<std::size_t>(j)])];
    };
    return heldAt(k - 1) || heldAt(k) ? kUndefined : choiceAt(k - 1) - choiceAt(k);
}

void StepRecorder::keepScores(const LayerRouting& routing, std::int64_t token, std::size_t row) {
    auto& kept = *m_passScores[static_cast<std::size_t>(token)];
    std::copy_n(routing.scores + token * routing.experts, routing.experts,
                kept.begin() + static_cast<std::ptrdiff_t>(row) * routing.experts);
}

std::uint32_t StepRecorder::biasDecided(const float* scores, const std::int32_t* chosen,
                                        Layer& layer) {
    const int k = layer.rule.params.topK;
    const auto* held = layer.rule.withoutBias;
    layer.chooser.choose(scores, held ? held->data() : nullptr, k, m_ids.data());
    std::uint32_t bits = 0;
    for (int j = 0; j < k; ++j)
        if (std::find(m_ids.begin(), m_ids.begin() + k, chosen[j]) == m_ids.begin() + k)
            bits |= 1u << j;
    return bits;
}

void StepRecorder::reject(std::size_t first) {
    for (auto i = first; i < m_trace.tokens.size(); ++i) m_trace.tokens[i].phase = Phase::Rejected;
}

void StepRecorder::countExperts(SpeculativeStep& speculation) const {
    const auto k = static_cast<std::size_t>(m_shape.topK);
    for (std::size_t row = 0; row < m_shape.layers.size(); ++row) {
        std::set<std::uint16_t> read, kept;
        for (const auto& token : m_trace.tokens) {
            const auto* first = token.routing.experts.data() + row * k;
            read.insert(first, first + k);
            if (token.phase != Phase::Rejected) kept.insert(first, first + k);
        }
        read.erase(kNoExpert);
        kept.erase(kNoExpert);
        speculation.distinctExperts.push_back(static_cast<std::uint16_t>(read.size()));
        speculation.wastedExperts.push_back(static_cast<std::uint16_t>(read.size() - kept.size()));
    }
}

StepTrace StepRecorder::take() {
    return std::exchange(m_trace, {});
}

}  // namespace gatescope
