// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/checkpoint/model_config.h"

namespace gatescope {

/// Rotary position embedding with YaRN (Peng et al. 2023, arXiv 2309.00071) as DeepSeek's code
/// computes it. YaRN is always on when config.json has it, also for short prompts: the weights were
/// trained with it.
class Rope {
  public:
    explicit Rope(const ModelConfig& config);

    /// Angle per position of each pair, [ropeDim / 2].
    const std::vector<double>& inverseFrequencies() const { return m_frequencies; }
    /// Factor on cos and sin: m(factor, mscale) / m(factor, mscale_all_dim).
    double cosSinFactor() const { return m_cosSinFactor; }
    /// (dn + dr)^-0.5, times m(factor, mscale_all_dim)^2 under YaRN.
    double softmaxScale() const { return m_softmaxScale; }

    /// Writes cos, sin of every pair for positions [first, first + count): out [count, ropeDim].
    /// Angles are taken in float64: at 128K positions float32 angles are off by 1e-2.
    void fill(float* out, std::int64_t first, std::int64_t count) const;

  private:
    std::vector<double> m_frequencies;
    double m_cosSinFactor = 1;
    double m_softmaxScale = 1;
};

}  // namespace gatescope
