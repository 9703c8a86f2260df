// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/device_buffer.h"
#include "tests/kernels/reference.h"

// Rows of logits and what topLogits must make of them, on every device.

namespace gatescope::test {

struct TopResult {
    std::vector<std::int32_t> ids, finite;
    std::vector<float> values, logSum;
};

/// topLogits of rows of V values; they lie `stride` values apart in the device.
inline TopResult topLogits(Device& device, const std::vector<float>& logits, std::int64_t cols,
                           int k, std::int64_t limit, std::int64_t stride = 0) {
    if (stride == 0) stride = cols;
    const auto rows = static_cast<std::int64_t>(logits.size()) / cols;
    DeviceBuffer<float> in(device), values(device), logSum(device);
    DeviceBuffer<std::int32_t> ids(device), finite(device);
    const auto count = static_cast<std::size_t>(rows * k), n = static_cast<std::size_t>(rows);
    in.require(static_cast<std::size_t>(rows * stride));
    for (std::int64_t t = 0; t < rows; ++t)
        device.upload(in.data() + t * stride, logits.data() + t * cols,
                      static_cast<std::size_t>(cols) * sizeof(float));
    device.topLogits(
        {ids.require(count), values.require(count), logSum.require(n), finite.require(n), k, limit},
        {in.data(), rows, cols, stride});
    device.synchronize();
    TopResult r{std::vector<std::int32_t>(count), std::vector<std::int32_t>(n),
                std::vector<float>(count), std::vector<float>(n)};
    device.download(r.ids.data(), ids.data(), count * sizeof(std::int32_t));
    device.download(r.finite.data(), finite.data(), n * sizeof(std::int32_t));
    device.download(r.values.data(), values.data(), count * sizeof(float));
    device.download(r.logSum.data(), logSum.data(), n * sizeof(float));
    return r;
}

/// ln sum exp in float64.
inline double logSumOf(const float* row, std::int64_t cols) {
    const double largest = *std::max_element(row, row + cols);
    double sum = 0;
    for (std::int64_t i = 0; i < cols; ++i) sum += std::exp(row[i] - largest);
    return largest + std::log(sum);
}

/// Compares with the definition: a stable sort of all ids below the limit.
inline void expectTopLogits(Device& device, const std::vector<float>& logits, std::int64_t cols,
                            int k, std::int64_t limit, std::int64_t stride = 0) {
    SCOPED_TRACE("V " + std::to_string(cols) + ", k " + std::to_string(k) + ", limit " +
                 std::to_string(limit));
    const auto r = topLogits(device, logits, cols, k, limit, stride);
    for (std::size_t t = 0; t < r.finite.size(); ++t) {
        const float* row = logits.data() + static_cast<std::int64_t>(t) * cols;
        std::vector<std::int32_t> order(static_cast<std::size_t>(limit));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
            return row[a] > row[b] || (std::isnan(row[b]) && !std::isnan(row[a]));
        });
        for (std::size_t j = 0; j < static_cast<std::size_t>(k); ++j) {
            const auto at = t * static_cast<std::size_t>(k) + j;
            ASSERT_EQ(r.ids[at], order[j]) << "row " << t << ", place " << j;
            ASSERT_TRUE(r.values[at] == row[order[j]] || std::isnan(row[order[j]]));
        }
        const bool finite = std::all_of(row, row + cols, [](float x) { return std::isfinite(x); });
        ASSERT_EQ(r.finite[t], finite ? 1 : 0);
        if (!finite) continue;
        const double expected = logSumOf(row, cols);
        // Half a float32 step of the result, and 1e-6 for the arithmetic.
        EXPECT_NEAR(r.logSum[t], expected, 6e-8 * std::abs(expected) + 1e-6);
    }
}

/// Random logits, ties, limits, and rows of any length.
inline void testTopLogits(Device& device) {
    for (const std::int64_t cols : {1, 2, 63, 64, 65, 255, 2047, 2048, 2049, 9001}) {
        auto logits = randomFloats(static_cast<std::size_t>(3 * cols), static_cast<unsigned>(cols));
        for (auto& x : logits) x *= 5;
        for (const int k : {1, 2, 20, 64})
            for (const auto limit : {cols, cols - 1, cols / 2 + 1})
                if (k <= limit) expectTopLogits(device, logits, cols, k, limit, cols + 3);
    }
}

/// Few different values: almost every comparison is a tie.
inline void testTopLogitsTies(Device& device) {
    for (const std::int64_t cols : {64, 3000, 5000}) {
        std::vector<float> logits(static_cast<std::size_t>(2 * cols), -0.0f);
        for (std::size_t i = 0; i < logits.size(); ++i)
            if (i % 3 == 0) logits[i] = 0.0f;
        expectTopLogits(device, logits, cols, 64, cols);
        for (std::size_t i = 0; i < logits.size(); ++i)
            logits[i] = static_cast<float>(i * 7919 % 5) - 2;
        expectTopLogits(device, logits, cols, 64, cols);
    }
}

/// Large, infinite and undefined logits.
inline void testTopLogitsExtremes(Device& device) {
    const auto inf = std::numeric_limits<float>::infinity();
    const auto nan = std::numeric_limits<float>::quiet_NaN();
    const std::int64_t cols = 4500;
    const auto size = static_cast<std::size_t>(cols);
    auto logits = randomFloats(size, 7);
    for (auto& x : logits) x *= 1e4f;
    expectTopLogits(device, logits, cols, 64, cols);
    for (auto& x : logits) x = -1e30f;
    logits[4400] = 3e38f;
    expectTopLogits(device, logits, cols, 5, cols);
    for (const float odd : {inf, -inf, nan}) {
        for (const std::size_t at : {0u, 2100u, 4499u}) {
            auto row = randomFloats(size, 8);
            row[at] = odd;
            expectTopLogits(device, row, cols, 20, cols);
            expectTopLogits(device, row, cols, 20, 1000);  // the flag is about the whole row
        }
        expectTopLogits(device, std::vector<float>(size, odd), cols, 64, cols);
    }
}

/// A vocabulary of real size: the float32 parts of the sum must not add up their errors.
inline void testTopLogitsOfALargeVocabulary(Device& device) {
    const std::int64_t cols = 129280;
    auto logits = randomFloats(static_cast<std::size_t>(cols), 9);
    for (auto& x : logits) x = 3 * x + 8;
    expectTopLogits(device, logits, cols, 20, 128815);
    expectTopLogits(device, logits, cols, 1, cols);
}

/// A row's result must not depend on the rows it is computed with.
inline void testTopLogitsRowByRow(Device& device) {
    const std::int64_t cols = 5003;
    const auto logits = randomFloats(static_cast<std::size_t>(4 * cols), 10);
    const auto all = topLogits(device, logits, cols, 3, cols);
    for (std::ptrdiff_t t = 0; t < 4; ++t) {
        const std::vector<float> row(logits.begin() + t * cols, logits.begin() + (t + 1) * cols);
        const auto one = topLogits(device, row, cols, 3, cols);
        EXPECT_EQ(one.logSum[0], all.logSum[static_cast<std::size_t>(t)]);
        EXPECT_TRUE(std::equal(one.ids.begin(), one.ids.end(), all.ids.begin() + 3 * t));
    }
}

}  // namespace gatescope::test
