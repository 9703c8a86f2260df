// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/next_token.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace gatescope {

NextTokenDistribution::NextTokenDistribution(std::span<const float> logits) : m_logits(logits) {
    assert(!logits.empty());
    const auto best = std::max_element(logits.begin(), logits.end());
    m_top = static_cast<std::int32_t>(best - logits.begin());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - *best);
    m_logSum = *best + std::log(sum);
}

double NextTokenDistribution::probability(std::int32_t id) const {
    return std::exp(logProbability(id));
}

double NextTokenDistribution::divergenceFrom(const NextTokenDistribution& other) const {
    assert(m_logits.size() == other.m_logits.size());
    double sum = 0;
    for (std::size_t i = 0; i < m_logits.size(); ++i) {
        const auto id = static_cast<std::int32_t>(i);
        const double log = logProbability(id);
        sum += std::exp(log) * (log - other.logProbability(id));
    }
    return std::max(0.0, sum);
}

}  // namespace gatescope
