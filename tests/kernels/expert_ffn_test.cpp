// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cpu/cpu_device.h"
#include "tests/kernels/reference.h"

namespace gatescope::test {
namespace {

constexpr std::size_t kHidden = 40, kInner = 24, kExperts = 6, kTopK = 3;

struct Experts {
    explicit Experts(DType dtype) {
        for (unsigned e = 0; e < kExperts; ++e) {
            owned.push_back(randomWeight(dtype, kInner, kHidden, 10 * e + 1, 1));
            owned.push_back(randomWeight(dtype, kInner, kHidden, 10 * e + 2, 0));
            owned.push_back(randomWeight(dtype, kHidden, kInner, 10 * e + 3, 3));
        }
        for (std::size_t e = 0; e < kExperts; ++e) {
            gate.push_back(owned[3 * e].weight);
            up.push_back(owned[3 * e + 1].weight);
            down.push_back(owned[3 * e + 2].weight);
        }
    }

    // One expert on one token by the definition, float64.
    std::vector<double> reference(std::size_t e, const float* x) const {
        std::vector<double> hidden(kInner), out(kHidden);
        for (std::size_t i = 0; i < kInner; ++i) {
            double g = 0, u = 0;
            for (std::size_t c = 0; c < kHidden; ++c) {
                g += owned[3 * e].values[i * kHidden + c] * x[c];
                u += owned[3 * e + 1].values[i * kHidden + c] * x[c];
            }
            hidden[i] = g / (1 + std::exp(-g)) * u;
        }
        for (std::size_t n = 0; n < kHidden; ++n)
            for (std::size_t i = 0; i < kInner; ++i)
                out[n] += owned[3 * e + 2].values[n * kInner + i] * hidden[i];
        return out;
    }

    std::vector<ReferenceWeight> owned;
    std::vector<Weight> gate, up, down;
};

TEST(ExpertFfn, AddsTheWeightedSumOfTheChosenExperts) {
    for (const auto dtype : {DType::BF16, DType::F32, DType::F8E4M3}) {
        const Experts experts(dtype);
        CpuDevice device(3);
        for (const std::size_t tokens : {1u, 2u, 11u}) {
            const auto x = randomFloats(tokens * kHidden, 5);
            auto weights = randomFloats(tokens * kTopK, 6);
            std::vector<std::int32_t> ids;
            for (std::size_t t = 0; t < tokens; ++t)
                for (std::size_t j = 0; j < kTopK; ++j)
                    ids.push_back(static_cast<std::int32_t>((t + 2 * j) % kExperts));
            std::vector<float> out(tokens * kHidden, 1.0f);
            const auto n = static_cast<std::int64_t>(tokens);
            device.expertFfn({out.data(), n, kHidden}, {x.data(), n, kHidden},
                             {nullptr, ids.data(), weights.data(), n, kTopK},
                             {experts.gate, experts.up, experts.down});
            for (std::size_t t = 0; t < tokens; ++t) {
                std::vector<double> expected(kHidden, 1.0);
                double size = 1;
                for (std::size_t j = 0; j < kTopK; ++j) {
                    const auto y = experts.reference(static_cast<std::size_t>(ids[t * kTopK + j]),
                                                     x.data() + t * kHidden);
                    for (std::size_t c = 0; c < kHidden; ++c) {
                        expected[c] += weights[t * kTopK + j] * y[c];
                        size = std::max(size, std::abs(weights[t * kTopK + j] * y[c]));
                    }
                }
                for (std::size_t c = 0; c < kHidden; ++c)
                    ASSERT_NEAR(out[t * kHidden + c], expected[c], 3e-6 * size);
            }
        }
    }
}

}  // namespace
}  // namespace gatescope::test
