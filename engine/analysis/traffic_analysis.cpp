// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/traffic_analysis.h"

#include <algorithm>
#include <chrono>

namespace gatescope {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Layers chose different numbers of experts.
bool isUneven(const RoutedToken& token) {
    const auto& experts = token.routing.experts;
    return std::find(experts.begin(), experts.end(), kNoExpert) != experts.end();
}

bool isUneven(const StepTrace& step) {
    const auto uneven = [](const RoutedToken& token) { return isUneven(token); };
    return std::any_of(step.tokens.begin(), step.tokens.end(), uneven) ||
           std::any_of(step.mtp.begin(), step.mtp.end(), uneven);
}

/// Counters of the bias take a model without one as one that has nothing to count.
RoutingShape knownBias(RoutingShape shape, const std::vector<std::vector<float>>& biasByRow) {
    shape.hasBias = shape.hasBias && !biasByRow.empty();
    return shape;
}

}  // namespace

TrafficAnalysis::TrafficAnalysis(const RoutingShape& shape,
                                 std::vector<std::vector<float>> biasByRow,
                                 const ShadowParams& shadow)
    : m_shape(knownBias(shape, biasByRow)),
      m_biasByRow(std::move(biasByRow)),
      m_knowsBias(m_shape.hasBias),
      m_load(shape),
      m_bias(m_shape, m_biasByRow),
      m_shadow(m_shape, m_biasByRow, shadow) {
    if (shape.experts > 0 && !shape.layers.empty()) {
        m_relations.emplace(shape);
    }
}

void TrafficAnalysis::add(const StepTrace& step) {
    if (isUneven(step)) return;
    const auto start = Clock::now();
    m_load.add(step);
    if (m_relations) {
        m_relations->reads.add(step);
    }
    for (const bool mtp : {false, true}) {
        for (const RoutedToken& token : mtp ? step.mtp : step.tokens) {
            addToken(token, mtp);
        }
    }
    m_seconds += since(start);
}

void TrafficAnalysis::add(const RoutedToken& token, bool mtp) {
    if (isUneven(token)) return;
    const auto start = Clock::now();
    m_load.add(token, mtp);
    addToken(token, mtp);
    m_seconds += since(start);
}

void TrafficAnalysis::addToken(const RoutedToken& token, bool mtp) {
    m_bias.add(token, mtp);
    m_shadow.add(token, mtp);
    if (m_relations) {
        m_relations->coactivation.add(token, mtp);
        m_relations->transitions.add(token, mtp);
    }
}

void TrafficAnalysis::restartShadow(const ShadowParams& params) {
    m_shadow = ShadowBias(m_shape, m_biasByRow, params);
}

}  // namespace gatescope
