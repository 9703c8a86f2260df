// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/rank_balance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/analysis/eplb.h"
#include "engine/error.h"

namespace gatescope {
namespace {

/// Two layers of four experts on two GPUs with three slots each.
Placement example() {
    return {2, 4, 6, 2, 2, {0, 1, 0, 2, 3, 1, 3, 2, 1, 0, 0, 3}};
}

ExpertLoads exampleLoads() {
    return {2, 4, {8, 4, 1, 3, 2, 5, 7, 2}};
}

TEST(RankBalance, LoadsByHand) {
    const RankLoads loads = rankLoads(example(), exampleLoads());
    EXPECT_EQ(loads.values, (std::vector<double>{10, 6, 13, 3}));
    EXPECT_THROW(rankLoads(example(), {1, 4, {1, 2, 3, 4}}), Error);
    EXPECT_DOUBLE_EQ(stragglerTime(loads), 23);
    EXPECT_DOUBLE_EQ(stragglerCost(loads), 23.0 / 16 - 1);
    EXPECT_EQ(stragglerFactors(loads), (std::vector<double>{10.0 / 8, 13.0 / 8}));
}

TEST(RankBalance, FourDefinitionsByHand) {
    const RankLoads a{2, 2, {10, 6, 13, 3}};
    const RankLoads b{2, 2, {1, 1, 0, 0}};
    const std::vector<RankLoads> passes{a, b};
    const double first = (8.00001 / 10.00001 + 8.00001 / 13.00001) / 2;
    EXPECT_NEAR(sglangBalancedness(passes), (first + 1) / 2, 1e-12);
    EXPECT_DOUBLE_EQ(vllmBalancedness(a), 16.0 / 23);
    EXPECT_DOUBLE_EQ(vllmPeakRatio(a), (1.25 + 1.625) / 2);
    // layer 0: (1/4 + 0) / 2; layer 1 is idle in the second iteration
    EXPECT_DOUBLE_EQ(tensorRtImbalance(passes), (0.125 + 0.625) / 2);
    EXPECT_TRUE(std::isnan(stragglerFactors(b)[1]));
}

TEST(RankBalance, NothingRoutedIsNaN) {
    const RankLoads idle{1, 2, {0, 0}};
    for (const double value :
         {vllmBalancedness(idle), vllmPeakRatio(idle), stragglerCost(idle),
          tensorRtImbalance(std::vector{idle}), tensorRtImbalance({}), sglangBalancedness({})}) {
        EXPECT_TRUE(std::isnan(value));
    }
    EXPECT_EQ(sglangBalancedness(std::vector{idle}), 1);
    EXPECT_THROW(tensorRtImbalance(std::vector{idle, RankLoads{2, 2, {1, 1, 1, 1}}}), Error);
}

TEST(RankBalance, OneLayerAndPassConverts) {
    const RankLoads loads{1, 4, {3, 9, 1, 7}};
    const double imbalance = tensorRtImbalance(std::vector{loads});
    EXPECT_DOUBLE_EQ(vllmBalancedness(loads), 1 / (1 + imbalance));
    EXPECT_DOUBLE_EQ(vllmPeakRatio(loads), 1 + imbalance);
    EXPECT_NEAR(sglangBalancedness(std::vector{loads}), 1 / (1 + imbalance), 1e-5);
}

/// The worked example of TensorRT-LLM: eight experts on four ranks of three slots.
TEST(RankBalance, TensorRtExample) {
    const ExpertLoads loads{1, 8, {100, 80, 20, 20, 10, 10, 10, 10}};
    const Placement contiguous{1, 8, 8, 4, 1, {0, 1, 2, 3, 4, 5, 6, 7}};
    EXPECT_NEAR(tensorRtImbalance(std::vector{rankLoads(contiguous, loads)}), 1.769, 5e-4);
    const Placement placement = eplb(loads, {12, 4, 1, 1});
    const RankLoads ranks = rankLoads(placement, loads);
    std::vector<double> sorted = ranks.values;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(sorted[i], 190.0 / 3, 1e-9);
    EXPECT_DOUBLE_EQ(sorted[3], 70);
    EXPECT_NEAR(tensorRtImbalance(std::vector{ranks}), 0.0769, 5e-5);
    EXPECT_EQ(wastedSlots(placement), 1);
}

}  // namespace
}  // namespace gatescope
