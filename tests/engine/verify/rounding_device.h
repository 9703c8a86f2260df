// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/cpu/cpu_device.h"
#include "kernels/forwarding_device.h"

namespace gatescope::test {

/// The nearest e4m3 value; |x| <= 448.
inline float roundedToF8(float x) {
    if (x == 0) return 0;
    const int exponent = std::max(std::ilogb(x), -6);
    const float step = std::ldexp(1.0F, exponent - 3);
    return std::nearbyint(x / step) * step;
}

inline float roundedToBf16(float x) {
    return bf16ToFloat(floatToBf16(x));
}

/// The CPU's arithmetic with the roundings of a GPU that computes less exactly: the latent cache as
/// of another type, and the inputs of matrix products as BF16.
class RoundingDevice final : public ForwardingDevice {
  public:
    RoundingDevice(Device& cpu, CacheType cache, bool bf16Products)
        : ForwardingDevice(cpu), m_cache(cache), m_bf16Products(bf16Products) {}

    void matmul(Matrix out, ConstMatrix in, const Weight& weight) override {
        m_device.matmul(out, rounded(in), weight);
    }
    // A router computes in float32.
    void routerMatmul(Matrix out, ConstMatrix in, const Weight& weight) override {
        m_device.routerMatmul(out, in, weight);
    }
    void gatedMatmul(Matrix out, ConstMatrix in, const Weight& gate, const Weight& up) override {
        m_device.gatedMatmul(out, rounded(in), gate, up);
    }
    void expertFfn(Matrix out, ConstMatrix in, const Routing& routing,
                   const ExpertWeights& experts) override {
        m_device.expertFfn(out, rounded(in), routing, experts);
    }
    void expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           const StepPosition& position, const AttentionShape& shape) override {
        m_device.expandedAttention(out, rounded(q), kvB, cache, position, shape);
    }
    void absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           const StepPosition& position, const AttentionShape& shape) override {
        m_device.absorbedAttention(out, rounded(q), kvB, cache, position, shape);
    }
    void latentAppend(LatentCacheView cache, const StepPosition& position, ConstMatrix kv,
                      const AttentionShape& shape, const float* norm, float eps,
                      const float* cosSin) override {
        m_device.latentAppend(cache, position, kv, shape, norm, eps, cosSin);
        for (std::int64_t t = 0; t < kv.rows; ++t) {
            roundRow(cache.floatRow(position.first + t), shape.latentDim, shape.latentWidth());
        }
    }

  private:
    ConstMatrix rounded(ConstMatrix in) {
        if (!m_bf16Products) return in;
        m_values.clear();
        for (std::int64_t t = 0; t < in.rows; ++t) {
            std::transform(in.row(t), in.row(t) + in.cols, std::back_inserter(m_values),
                           roundedToBf16);
        }
        return {m_values.data(), in.rows, in.cols};
    }
    void roundRow(float* row, std::int64_t latent, std::int64_t width) const {
        if (m_cache == CacheType::F32) return;
        const std::int64_t f8 = m_cache == CacheType::F8 ? latent : 0;
        for (std::int64_t first = 0; first < f8; first += LatentLayout::kScaleBlock) {
            const std::int64_t end = std::min(first + LatentLayout::kScaleBlock, f8);
            float largest = 0;
            for (std::int64_t i = first; i < end; ++i) {
                largest = std::max(largest, std::abs(row[i]));
            }
            const float scale = largest > 0 ? largest / 448 : 1;
            for (std::int64_t i = first; i < end; ++i) {
                row[i] = roundedToF8(row[i] / scale) * scale;
            }
        }
        std::transform(row + f8, row + width, row + f8, roundedToBf16);
    }

    CacheType m_cache;
    bool m_bf16Products;
    std::vector<float> m_values;
};

}  // namespace gatescope::test
