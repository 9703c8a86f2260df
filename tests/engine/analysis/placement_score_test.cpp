// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/placement_score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "engine/analysis/eplb.h"
#include "engine/analysis/rank_balance.h"
#include "engine/error.h"
#include "tests/engine/analysis/placement_loads.h"

namespace gatescope {
namespace {

/// One layer, experts 0 and 1 on GPU 0, 2 and 3 on GPU 1.
Placement pairs() {
    return {1, 4, 4, 2, 1, {0, 1, 2, 3}};
}

std::vector<ExpertLoads> sampledBlocks(const ExpertLoads& expected, int count,
                                       std::mt19937_64& random) {
    std::vector<ExpertLoads> blocks;
    for (int i = 0; i < count; ++i) blocks.push_back(sampledLoads(expected, random));
    return blocks;
}

TEST(PlacementScore, SumsBlocksBeforeDividing) {
    const std::vector<ExpertLoads> blocks{{1, 4, {4, 0, 0, 0}}, {1, 4, {0, 0, 4, 2}}};
    EXPECT_EQ(summedLoads(blocks).values, (std::vector<double>{4, 0, 4, 2}));
    EXPECT_DOUBLE_EQ(scorePlacement(pairs(), blocks).value, 5.0 / 6);
}

TEST(PlacementScore, BlocksThatAreAlikeLeaveNoDoubt) {
    const std::vector<ExpertLoads> blocks(5, ExpertLoads{1, 4, {3, 0, 1, 1}});
    const BootstrapInterval score = scorePlacement(pairs(), blocks);
    EXPECT_DOUBLE_EQ(score.value, 2.5 / 3);
    EXPECT_NEAR(score.low, score.value, 1e-12);
    EXPECT_NEAR(score.high, score.value, 1e-12);
}

TEST(PlacementScore, NothingRoutedIsNaN) {
    const std::vector<ExpertLoads> blocks(2, ExpertLoads{1, 4, {0, 0, 0, 0}});
    EXPECT_TRUE(std::isnan(scorePlacement(pairs(), blocks).value));
    EXPECT_TRUE(std::isnan(scorePlacement(pairs(), blocks).low));
}

TEST(PlacementScore, SameSeedSameInterval) {
    std::mt19937_64 random(1);
    const SyntheticLoads synthetic = syntheticLoads(8, {4, 32, 4});
    const auto blocks = sampledBlocks(synthetic.expected, 12, random);
    const Placement placement = eplb(blocks.front(), {40, 8, 1, 1});
    ScoreOptions options;
    const BootstrapInterval a = scorePlacement(placement, blocks, options);
    const BootstrapInterval b = scorePlacement(placement, blocks, options);
    EXPECT_EQ(a.low, b.low);
    EXPECT_EQ(a.high, b.high);
    EXPECT_LT(a.low, a.value);
    EXPECT_GT(a.high, a.value);
    options.seed = 2;
    EXPECT_NE(scorePlacement(placement, blocks, options).low, a.low);
}

/// The interval is one for traffic of that amount: another sample's figure lies in it about as
/// often as it says (both scatter, so that 95 % become some 83 %).
TEST(PlacementScore, IntervalHoldsOtherSamplesOfTheTraffic) {
    std::mt19937_64 random(2);
    const SyntheticLoads synthetic = syntheticLoads(8, {4, 32, 4});
    const Placement placement = eplb(synthetic.expected, {40, 8, 1, 1});
    int inside = 0;
    constexpr int kRounds = 200;
    for (int round = 0; round < kRounds; ++round) {
        ScoreOptions options;
        options.draws = 200;
        options.seed = static_cast<std::uint64_t>(round);
        const BootstrapInterval score =
            scorePlacement(placement, sampledBlocks(synthetic.expected, 16, random), options);
        const ExpertLoads other = summedLoads(sampledBlocks(synthetic.expected, 16, random));
        const double value = vllmBalancedness(rankLoads(placement, other));
        inside += value >= score.low && value <= score.high ? 1 : 0;
    }
    EXPECT_GT(inside, kRounds * 70 / 100);
    EXPECT_LT(inside, kRounds * 96 / 100);
}

TEST(PlacementScore, DifferenceIsPaired) {
    std::mt19937_64 random(3);
    const SyntheticLoads synthetic = syntheticLoads(11, {4, 32, 4});
    const auto blocks = sampledBlocks(synthetic.expected, 16, random);
    const Placement good = eplb(synthetic.expected, {40, 8, 1, 1});
    const Placement blind = eplb({4, 32, std::vector<double>(128, 1)}, {40, 8, 1, 1});
    const BootstrapInterval same = scoreDifference(good, good, blocks);
    EXPECT_EQ(same.low, 0);
    EXPECT_EQ(same.high, 0);
    const BootstrapInterval better = scoreDifference(good, blind, blocks);
    EXPECT_GT(better.low, 0);
    EXPECT_NEAR(better.value,
                scorePlacement(good, blocks).value - scorePlacement(blind, blocks).value, 1e-12);
}

TEST(SplitScore, PlansOnOneHalfAndScoresOnTheOther) {
    std::vector<ExpertLoads> blocks;
    for (int i = 0; i < 5; ++i) blocks.push_back({1, 4, {double(i == 0), double(i == 1), 1, 9}});
    ExpertLoads seen;
    const auto plan = [&](const ExpertLoads& loads) {
        seen = loads;
        return pairs();
    };
    const SplitScore alternate = splitScore(blocks, TrafficSplit::Alternate, plan);
    EXPECT_EQ(seen.values, (std::vector<double>{1, 0, 3, 27}));
    EXPECT_DOUBLE_EQ(alternate.planned, 15.5 / 30);
    EXPECT_DOUBLE_EQ(alternate.heldOut.value, 10.5 / 20);
    EXPECT_EQ(alternate.placement, pairs());
    const SplitScore halves = splitScore(blocks, TrafficSplit::Halves, plan);
    EXPECT_EQ(seen.values, (std::vector<double>{1, 1, 2, 18}));
    EXPECT_DOUBLE_EQ(halves.heldOut.value, 0.5);
}

TEST(SplitScore, APlanPromisesMoreThanItKeeps) {
    std::mt19937_64 random(4);
    const SyntheticLoads synthetic = syntheticLoads(0, {16, 64, 4});
    const auto blocks = sampledBlocks(synthetic.expected, 8, random);
    const SplitScore score = splitScore(blocks, TrafficSplit::Halves, [](const ExpertLoads& loads) {
        return eplb(loads, {80, 16, 1, 1});
    });
    EXPECT_LT(score.heldOut.high, score.planned);
}

TEST(PlacementScore, RefusesWhatIsNoTraffic) {
    const std::vector<ExpertLoads> blocks(2, ExpertLoads{1, 4, {1, 1, 1, 1}});
    const auto plan = [](const ExpertLoads&) { return pairs(); };
    EXPECT_THROW(scorePlacement(pairs(), {}), Error);
    EXPECT_THROW(summedLoads({}), Error);
    EXPECT_THROW(scorePlacement(pairs(), blocks, {0, 0.95, 1}), Error);
    EXPECT_THROW(scorePlacement(pairs(), blocks, {10, 1, 1}), Error);
    EXPECT_THROW(scorePlacement(pairs(), std::vector<ExpertLoads>{{1, 2, {1, 1}}}), Error);
    EXPECT_THROW(summedLoads(std::vector<ExpertLoads>{{1, 2, {1, 1}}, {2, 1, {1, 1}}}), Error);
    EXPECT_THROW(splitScore(std::span(blocks).first(1), TrafficSplit::Halves, plan), Error);
}

}  // namespace
}  // namespace gatescope
