// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "kernels/cpu/cpu_device.h"
#include "tests/kernels/reference.h"

namespace gatescope::test {
namespace {

TEST(Elementwise, RmsNormSwigluAndAddMatchTheirDefinitionsAtAnyLength) {
    CpuDevice device(2);
    for (const std::int64_t n : {1, 3, 15, 16, 17, 40, 255}) {
        const auto size = static_cast<std::size_t>(n);
        const auto x = randomFloats(size, 1), w = randomFloats(size, 2);
        std::vector<float> norm(size), glu(size), sum = x;
        device.rmsNorm({norm.data(), 1, n}, {x.data(), 1, n}, w.data(), 1e-5f);
        device.swiglu({glu.data(), 1, n}, {x.data(), 1, n}, {w.data(), 1, n});
        device.add({sum.data(), 1, n}, {w.data(), 1, n});
        double squares = 0;
        for (const double v : x) squares += v * v;
        const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
        for (std::size_t i = 0; i < size; ++i) {
            const double v = x[i];
            EXPECT_NEAR(norm[i], v * factor * w[i], 2e-6 * std::abs(v * factor * w[i]) + 1e-7);
            EXPECT_NEAR(glu[i], v / (1 + std::exp(-v)) * w[i], 1e-5);
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

TEST(Elementwise, SwigluOfExtremeGatesIsFinite) {
    CpuDevice device(1);
    const std::vector<float> gate{-1e4f, -200, 0, 200, 1e4f}, up(5, 2.0f);
    std::vector<float> out(5);
    device.swiglu({out.data(), 1, 5}, {gate.data(), 1, 5}, {up.data(), 1, 5});
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(out[2], 0);
    EXPECT_EQ(out[4], 2e4f);
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
