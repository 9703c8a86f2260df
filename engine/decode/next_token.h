// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace gatescope {

/// The distribution of the next token in float64, from a row of logits over the vocabulary (at
/// least one), which must outlive it.
class NextTokenDistribution {
  public:
    explicit NextTokenDistribution(std::span<const float> logits);

    /// The most probable token; ties to the lower id.
    std::int32_t top() const { return m_top; }
    double logProbability(std::int32_t id) const {
        return static_cast<double>(m_logits[static_cast<std::size_t>(id)]) - m_logSum;
    }
    double probability(std::int32_t id) const;
    /// KL(this || other) in nats over the whole vocabulary (Kullback and Leibler 1951); rounding
    /// below zero is zero. Both over the same vocabulary.
    double divergenceFrom(const NextTokenDistribution& other) const;

  private:
    std::span<const float> m_logits;
    std::int32_t m_top = 0;
    double m_logSum = 0;
};

}  // namespace gatescope
