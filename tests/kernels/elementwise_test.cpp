// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "kernels/cpu/cpu_device.h"
#include "tests/kernels/reference.h"

namespace gatescope::test {
namespace {

TEST(Elementwise, RmsNormAndAddMatchTheirDefinitionsAtAnyLength) {
    CpuDevice device(2);
    for (const std::int64_t n : {1, 3, 15, 16, 17, 40, 255}) {
        const auto size = static_cast<std::size_t>(n);
        const auto x = randomFloats(size, 1), w = randomFloats(size, 2);
        std::vector<float> norm(size), sum = x;
        device.rmsNorm({norm.data(), 1, n}, {x.data(), 1, n}, w.data(), 1e-5f);
        device.add({sum.data(), 1, n}, {w.data(), 1, n});
        double squares = 0;
        for (const double v : x) squares += v * v;
        const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
        for (std::size_t i = 0; i < size; ++i) {
            const double v = x[i];
            EXPECT_NEAR(norm[i], v * factor * w[i], 2e-6 * std::abs(v * factor * w[i]) + 1e-7);
            EXPECT_EQ(sum[i], x[i] + w[i]);
        }
    }
}

// A row that turned to zeros would go on as if nothing had happened.
TEST(Elementwise, RmsNormOfValuesTooLargeToSquareIsNotFinite) {
    CpuDevice device(1);
    const std::vector<float> x(20, 1e20f), w(20, 1.0f);
    std::vector<float> out(20);
    device.rmsNorm({out.data(), 1, 20}, {x.data(), 1, 20}, w.data(), 1e-6f);
    for (const float v : out) EXPECT_FALSE(std::isfinite(v));
}

TEST(Elementwise, AddRmsNormIsAddAndThenRmsNorm) {
    CpuDevice device(2);
    for (const std::int64_t n : {1, 16, 37}) {
        const auto size = static_cast<std::size_t>(3 * n);
        const auto x = randomFloats(size, 1), block = randomFloats(size, 2);
        const auto w = randomFloats(static_cast<std::size_t>(n), 3);
        std::vector<float> apart = x, apartNorm(size), together = x, togetherNorm(size);
        device.add({apart.data(), 3, n}, {block.data(), 3, n});
        device.rmsNorm({apartNorm.data(), 3, n}, {apart.data(), 3, n}, w.data(), 1e-6f);
        device.addRmsNorm({togetherNorm.data(), 3, n}, {together.data(), 3, n},
                          {block.data(), 3, n}, w.data(), 1e-6f);
        EXPECT_EQ(together, apart);
        EXPECT_EQ(togetherNorm, apartNorm);
    }
}

// One weight column, so that the gate is the input times the gate's weight.
TEST(Elementwise, GatedMatmulOfExtremeGatesIsFinite) {
    CpuDevice device(1);
    const std::vector<float> gate{-1e4f, -200, 0, 200, 1e4f}, up(5, 2.0f), one{1};
    const auto column = [](const std::vector<float>& values) {
        return Weight{.dtype = DType::F32, .rows = 5, .cols = 1, .data = values.data()};
    };
    std::vector<float> out(5);
    device.gatedMatmul({out.data(), 1, 5}, {one.data(), 1, 1}, column(gate), column(up));
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(out[2], 0);
    EXPECT_EQ(out[4], 2e4f);
}

TEST(Elementwise, GatedMatmulMatchesItsDefinition) {
    CpuDevice device(3);
    const std::int64_t tokens = 5, rows = 33, cols = 40;
    const auto gate = randomWeight(DType::BF16, rows, cols, 1, 1);
    const auto up = randomWeight(DType::F8E4M3, rows, cols, 2, 1);
    const auto x = randomFloats(static_cast<std::size_t>(tokens * cols), 3);
    std::vector<float> out(static_cast<std::size_t>(tokens * rows));
    device.gatedMatmul({out.data(), tokens, rows}, {x.data(), tokens, cols}, gate.weight,
                       up.weight);
    for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t r = 0; r < rows; ++r) {
            double g = 0, u = 0;
            for (std::int64_t c = 0; c < cols; ++c) {
                const auto at = static_cast<std::size_t>(r * cols + c);
                const double value = x[static_cast<std::size_t>(t * cols + c)];
                g += gate.values[at] * value;
                u += up.values[at] * value;
            }
            const double expected = g / (1 + std::exp(-g)) * u;
            EXPECT_NEAR(out[static_cast<std::size_t>(t * rows + r)], expected,
                        1e-4 * (1 + std::abs(expected)));
        }
}

TEST(ThreadPool, EveryIndexIsVisitedOnceForAnyThreadCount) {
    for (const int threads : {1, 2, 7}) {
        ThreadPool pool(threads);
        for (int round = 0; round < 200; ++round) {
            const auto count = static_cast<std::size_t>(round * 3 + 1);
            std::vector<std::atomic<int>> seen(count);
            pool.parallelFor(static_cast<std::int64_t>(count), round % 5 + 1,
                             [&](std::int64_t begin, std::int64_t end) {
                                 for (auto i = begin; i < end; ++i)
                                     ++seen[static_cast<std::size_t>(i)];
                             });
            for (const auto& n : seen) ASSERT_EQ(n, 1);
        }
    }
}

}  // namespace
}  // namespace gatescope::test
