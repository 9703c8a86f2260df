// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/load_distance.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gatescope {
namespace {

using Counts = std::vector<std::int64_t>;

TEST(LoadDistance, ByHand) {
    // p = (0.5, 0.25, 0.25), q = (0.25, 0.25, 0.5); ranks 3, 1.5, 1.5 and 1.5, 1.5, 3.
    const LoadDistance distance = loadDistance(Counts{4, 2, 2}, Counts{1, 1, 2});
    EXPECT_DOUBLE_EQ(distance.totalVariation, 0.25);
    EXPECT_DOUBLE_EQ(distance.cosine, (4 + 2 + 4) / (std::sqrt(24.0) * std::sqrt(6.0)));
    EXPECT_DOUBLE_EQ(distance.spearman, -0.5);
}

TEST(LoadDistance, ProportionalAndReversed) {
    const LoadDistance same = loadDistance(Counts{1, 5, 3}, Counts{10, 50, 30});
    EXPECT_NEAR(same.totalVariation, 0, 1e-15);
    EXPECT_NEAR(same.cosine, 1, 1e-15);
    EXPECT_DOUBLE_EQ(same.spearman, 1);
    const LoadDistance other = loadDistance(Counts{7, 0}, Counts{0, 9});
    EXPECT_EQ(other.totalVariation, 1);
    EXPECT_EQ(other.cosine, 0);
    EXPECT_DOUBLE_EQ(other.spearman, -1);
}

TEST(LoadDistance, NothingToCompare) {
    EXPECT_TRUE(std::isnan(loadDistance(Counts{0, 0}, Counts{1, 2}).totalVariation));
    EXPECT_TRUE(std::isnan(loadDistance(Counts{3, 3}, Counts{1, 2}).spearman));
}

}  // namespace
}  // namespace gatescope
