// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cpu/cpu_device.h"
#include "tests/kernels/reference.h"

namespace gatescope::test {
namespace {

using Case = std::tuple<DType, std::int64_t>;
class Matmul : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Types, Matmul,
                         testing::Combine(testing::Values(DType::F32, DType::BF16, DType::F16,
                                                          DType::F8E4M3),
                                          testing::Values(1, 7, 16, 33, 128, 200, 257)),
                         [](const auto& test) {
                             return std::string(name(std::get<0>(test.param))) + "_" +
                                    std::to_string(std::get<1>(test.param));
                         });

// Sizes, odd sizes, misaligned weights and every tile shape against float64.
TEST_P(Matmul, MatchesFloat64) {
    const auto [dtype, cols] = GetParam();
    CpuDevice device(3);
    unsigned seed = 1;
    for (const std::int64_t rows : {1, 5, 8, 13, 130, 300}) {
        for (const std::int64_t tokens : {1, 2, 3, 4, 5, 9}) {
            ++seed;
            const auto w = randomWeight(dtype, rows, cols, seed, seed % 4);
            const auto x = randomFloats(static_cast<std::size_t>(tokens * cols), ++seed);
            std::vector<float> out(static_cast<std::size_t>(tokens * rows));
            device.matmul({out.data(), tokens, rows}, {x.data(), tokens, cols}, w.weight);
            for (std::int64_t t = 0; t < tokens; ++t)
                for (std::int64_t r = 0; r < rows; ++r) {
                    double sum = 0, size = 0;
                    for (std::int64_t c = 0; c < cols; ++c) {
                        const double term = w.values[static_cast<std::size_t>(r * cols + c)] *
                                            x[static_cast<std::size_t>(t * cols + c)];
                        sum += term;
                        size += std::abs(term);
                    }
                    ASSERT_NEAR(out[static_cast<std::size_t>(t * rows + r)], sum,
                                1e-6 * size + 1e-30)
                        << rows << "x" << cols << ", token " << t << " of " << tokens;
                }
        }
    }
}

TEST(MatmulF8, BlocksNeedNotBeAMultipleOfTheVectorWidth) {
    CpuDevice device(1);
    const auto w = randomWeight(DType::F8E4M3, 70, 90, 3, 1, 24);
    const auto x = randomFloats(90, 4);
    std::vector<float> out(70);
    device.matmul({out.data(), 1, 70}, {x.data(), 1, 90}, w.weight);
    for (std::size_t r = 0; r < 70; ++r) {
        double sum = 0;
        for (std::size_t c = 0; c < 90; ++c) sum += w.values[r * 90 + c] * x[c];
        EXPECT_NEAR(out[r], sum, 1e-4);
    }
}

TEST(MatmulF8, EveryByteDecodesByDefinition) {
    CpuDevice device(1);
    std::vector<std::uint8_t> bytes(256);
    for (std::size_t i = 0; i < 256; ++i)
        bytes[i] = (i & 0x7F) == 0x7F ? 0 : static_cast<std::uint8_t>(i);
    const float scale = 1;
    const Weight w{.dtype = DType::F8E4M3,
                   .rows = 256,
                   .cols = 1,
                   .data = bytes.data(),
                   .scales = &scale,
                   .blockRows = 256,
                   .blockCols = 1};
    const float one = 1;
    std::vector<float> out(256);
    device.matmul({out.data(), 1, 256}, {&one, 1, 1}, w);
    for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(out[i], f8e4m3ToFloat(bytes[i])) << i;
}

TEST_P(Matmul, EmbeddingReadsTheSameValues) {
    const auto [dtype, cols] = GetParam();
    CpuDevice device(2);
    const auto w = randomWeight(dtype, 9, cols, 8, 1);
    const std::vector<std::int32_t> ids{8, 0, 3};
    std::vector<float> out(static_cast<std::size_t>(3 * cols));
    device.embed({out.data(), 3, cols}, w.weight, ids.data());
    for (std::size_t t = 0; t < 3; ++t)
        for (std::size_t c = 0; c < static_cast<std::size_t>(cols); ++c) {
            const auto at = static_cast<std::size_t>(ids[t]) * static_cast<std::size_t>(cols) + c;
            EXPECT_FLOAT_EQ(out[t * static_cast<std::size_t>(cols) + c],
                            static_cast<float>(w.values[at]));
        }
}

}  // namespace
}  // namespace gatescope::test
