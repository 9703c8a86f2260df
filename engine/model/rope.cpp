// SPDX-License-Identifier: Apache-2.0
#include "engine/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gatescope {

namespace {

// YaRN's attention temperature, 0.1 a ln s + 1.
double mscale(double factor, double coefficient) {
    return factor <= 1 ? 1 : 0.1 * coefficient * std::log(factor) + 1;
}

// The (fractional) pair whose wavelength makes `rotations` turns over the original context.
double correctionDim(double rotations, const ModelConfig& c) {
    const double turns = static_cast<double>(c.yarn->originalMaxPositionEmbeddings) /
                         (rotations * 2 * std::numbers::pi);
    return static_cast<double>(c.qkRopeHeadDim) * std::log(turns) / (2 * std::log(c.ropeTheta));
}

void stretch(std::vector<double>& frequencies, const ModelConfig& c) {
    const auto& yarn = *c.yarn;
    const double low = std::max(std::floor(correctionDim(yarn.betaFast, c)), 0.0);
    double high = std::min(std::ceil(correctionDim(yarn.betaSlow, c)),
                           static_cast<double>(c.qkRopeHeadDim - 1));
    if (low == high) high += 0.001;
    for (std::size_t j = 0; j < frequencies.size(); ++j) {
        const double ramp = std::clamp((static_cast<double>(j) - low) / (high - low), 0.0, 1.0);
        frequencies[j] = frequencies[j] / yarn.factor * ramp + frequencies[j] * (1 - ramp);
    }
}

}  // namespace

Rope::Rope(const ModelConfig& config) {
    const auto dim = config.qkRopeHeadDim;
    for (std::int64_t j = 0; j < dim / 2; ++j)
        m_frequencies.push_back(
            std::pow(config.ropeTheta, -2.0 * static_cast<double>(j) / static_cast<double>(dim)));
    m_softmaxScale = 1 / std::sqrt(static_cast<double>(config.qkHeadDim()));
    if (!config.yarn) return;
    stretch(m_frequencies, config);
    const auto& yarn = *config.yarn;
    const double all = mscale(yarn.factor, yarn.mscaleAllDim);
    m_cosSinFactor = mscale(yarn.factor, yarn.mscale) / all;
    if (yarn.mscaleAllDim != 0) m_softmaxScale *= all * all;
}

void Rope::fill(float* out, std::int64_t first, std::int64_t count) const {
    for (std::int64_t t = 0; t < count; ++t) {
        for (const double frequency : m_frequencies) {
            const double angle = static_cast<double>(first + t) * frequency;
            *out++ = static_cast<float>(std::cos(angle) * m_cosSinFactor);
            *out++ = static_cast<float>(std::sin(angle) * m_cosSinFactor);
        }
    }
}

}  // namespace gatescope
