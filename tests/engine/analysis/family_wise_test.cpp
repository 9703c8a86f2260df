// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/family_wise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gatescope {
namespace {

TEST(HolmAdjusted, ByHand) {
    // Sorted: 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1 -> the last is raised to the one before it.
    const std::vector<double> p = {0.01, 0.04, 0.03, 0.005};
    EXPECT_THAT(holmAdjusted(p),
                testing::ElementsAre(testing::DoubleEq(0.03), testing::DoubleEq(0.06),
                                     testing::DoubleEq(0.06), testing::DoubleEq(0.02)));
}

TEST(HolmAdjusted, AtMostOneAndTestsThatWereNotMade) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto adjusted = holmAdjusted(std::vector<double>{0.9, nan, 0.02});
    EXPECT_EQ(adjusted[0], 0.9);
    EXPECT_TRUE(std::isnan(adjusted[1]));
    EXPECT_EQ(adjusted[2], 0.04);
    EXPECT_THAT(holmAdjusted(std::vector<double>{0.9, 0.8}), testing::ElementsAre(1, 1));
    EXPECT_TRUE(holmAdjusted({}).empty());
}

}  // namespace
}  // namespace gatescope
