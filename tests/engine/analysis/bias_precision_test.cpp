// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_precision.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/analysis/margin_histogram.h"
#include "kernels/dtype.h"

namespace gatescope {
namespace {

TEST(BiasPrecision, EveryF16ValueIsItsOwnRounding) {
    for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {
        const float value = f16ToFloat(static_cast<std::uint16_t>(bits));
        ASSERT_EQ(roundedToF16(value), value);
        ASSERT_EQ(roundedToF16(-value), -value);
    }
}

TEST(BiasPrecision, F16GoesToTheNearestAndTiesToEven) {
    for (std::uint32_t bits = 0; bits + 1 < 0x7C00; ++bits) {
        const float lower = f16ToFloat(static_cast<std::uint16_t>(bits));
        const float upper = f16ToFloat(static_cast<std::uint16_t>(bits + 1));
        const float middle = 0.5F * lower + 0.5F * upper;
        ASSERT_EQ(roundedToF16(std::nextafter(middle, lower)), lower);
        ASSERT_EQ(roundedToF16(std::nextafter(middle, upper)), upper);
        ASSERT_EQ(roundedToF16(middle), bits % 2 == 0 ? lower : upper);
    }
    EXPECT_EQ(roundedToF16(65519.9F), 65504.0F);
    EXPECT_EQ(roundedToF16(-65520.0F), -std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(roundedToF16(std::nanf(""))));
}

TEST(BiasPrecision, Bf16KeepsEightBits) {
    EXPECT_EQ(roundedToBf16(1.0F + 0x1p-8F), 1.0F);  // tie to even
    EXPECT_EQ(roundedToBf16(1.0F + 0x1p-7F), 1.0F + 0x1p-7F);
    EXPECT_EQ(roundedToBf16(11.1875F), 11.1875F);
    EXPECT_EQ(roundedToBf16(11.2F), 11.1875F);
}

TEST(BiasPrecision, LargestChangeOfALayer) {
    const std::vector<float> bias{11.1875F, 11.2F, -0.5F};
    const RoundedBias out = roundedBias(bias);
    const auto at = [](BiasPrecision p) { return static_cast<std::size_t>(p); };
    EXPECT_EQ(out.bias[at(BiasPrecision::Bf16Bias)],
              (std::vector<float>{11.1875F, 11.1875F, -0.5F}));
    EXPECT_NEAR(out.largestChange[at(BiasPrecision::Bf16Choice)], 0.0125, 1e-6);
    EXPECT_LT(out.largestChange[at(BiasPrecision::F16Bias)], 0.0079 / 2);
    EXPECT_GT(out.largestChange[at(BiasPrecision::F16Bias)], 0);
}

TEST(MarginHistogram, ExactFiguresAndQuantilesWithinABin) {
    MarginHistogram all;
    MarginHistogram halves[2];
    for (int i = 1; i <= 1000; ++i) {
        const float margin = static_cast<float>(i) / 1000.0F;
        all.add(margin, 0.0105);
        halves[i % 2].add(margin, 0.0105);
    }
    halves[0].merge(halves[1]);
    for (const MarginHistogram* histogram : {&all, &halves[0]}) {
        const MarginSummary sum = histogram->summary();
        EXPECT_EQ(sum.n, 1000);
        EXPECT_EQ(sum.fragile, 10);
        EXPECT_NEAR(sum.mean, 0.5005, 1e-6);
        EXPECT_FLOAT_EQ(static_cast<float>(sum.minimum), 0.001F);
        EXPECT_NEAR(sum.median, 0.5, 0.5 * 0.06);
        EXPECT_NEAR(sum.tenth, 0.1, 0.1 * 0.06);
    }
}

TEST(MarginHistogram, ZeroTinyHugeAndNoNumbers) {
    MarginHistogram histogram;
    EXPECT_TRUE(std::isnan(histogram.summary().median));
    for (const float margin : {std::nanf(""), -1.0F, std::numeric_limits<float>::infinity()}) {
        histogram.add(margin, 1);
    }
    EXPECT_EQ(histogram.summary().n, 0);
    for (const float margin : {0.0F, -0.0F, 1e-38F, 1e30F}) {
        histogram.add(margin, 1e-5);
    }
    const MarginSummary sum = histogram.summary();
    EXPECT_EQ(sum.n, 4);
    EXPECT_EQ(sum.fragile, 3);
    EXPECT_EQ(sum.minimum, 0);
    EXPECT_LT(sum.median, 1e-8);
}

}  // namespace
}  // namespace gatescope
