// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/analysis/eplb.h"
#include "engine/analysis/rank_balance.h"
#include "engine/error.h"

namespace gatescope {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Two layers of four experts on two GPUs with three slots each.
Placement example() {
    return {2, 4, 6, 2, 2, {0, 1, 0, 2, 3, 1, 3, 2, 1, 0, 0, 3}};
}

ExpertLoads exampleLoads() {
    return {2, 4, {8, 4, 1, 3, 2, 5, 7, 2}};
}

Placement randomPlacement(std::mt19937& random) {
    Placement out{3, 10, 24, 4, 2, {}};
    for (int layer = 0; layer < out.layers; ++layer) {
        std::vector<std::int32_t> row(24);
        for (std::size_t i = 0; i < row.size(); ++i) {
            row[i] = static_cast<std::int32_t>(i < 10 ? i : random() % 10);
        }
        std::shuffle(row.begin(), row.end(), random);
        out.physicalToLogical.insert(out.physicalToLogical.end(), row.begin(), row.end());
    }
    return out;
}

TEST(Placement, CountsAndMapsByHand) {
    const Placement placement = example();
    checkPlacement(placement);
    EXPECT_EQ(replicaCounts(placement), (std::vector<int>{2, 2, 1, 1, 2, 1, 1, 2}));
    const auto slots = logicalToPhysical(placement);
    EXPECT_EQ(slots[1], (std::vector<std::int32_t>{1, 5}));
    EXPECT_EQ(slots[4], (std::vector<std::int32_t>{3, 4}));
    EXPECT_EQ(wastedSlots(placement), 2);  // expert 0 on GPU 0 of layer 0, on GPU 1 of layer 1
    EXPECT_EQ(gpuMemoryBytes(placement, 10), 60);
}

TEST(Placement, LoadsByHand) {
    const RankLoads loads = rankLoads(example(), exampleLoads());
    EXPECT_EQ(loads.values, (std::vector<double>{10, 6, 13, 3}));
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

TEST(Placement, MigrationAgainstSetsOfExperts) {
    std::mt19937 random(4);
    for (int round = 0; round < 50; ++round) {
        const Placement before = randomPlacement(random);
        const Placement after = randomPlacement(random);
        std::int64_t moved = 0;
        for (int layer = 0; layer < before.layers; ++layer) {
            for (int gpu = 0; gpu < before.gpus; ++gpu) {
                const auto old = before.gpuRow(layer, gpu);
                const auto now = after.gpuRow(layer, gpu);
                const std::set<std::int32_t> had(old.begin(), old.end());
                for (const std::int32_t e : std::set<std::int32_t>(now.begin(), now.end())) {
                    moved += had.contains(e) ? 0 : 1;
                }
            }
        }
        EXPECT_EQ(movedSlots(before, after), moved);
        EXPECT_EQ(migrationBytes(before, after, 44'040'192), moved * 44'040'192);
        EXPECT_EQ(movedSlots(before, before), 0);
    }
}

TEST(Placement, ReorderingWithinAGpuMovesNothing) {
    Placement after = example();
    std::swap(after.physicalToLogical[0], after.physicalToLogical[1]);
    EXPECT_EQ(movedSlots(example(), after), 0);
    std::swap(after.physicalToLogical[1], after.physicalToLogical[3]);  // 0 against 2
    EXPECT_EQ(movedSlots(example(), after), 2);
}

TEST(Placement, GroupsOnNodes) {
    Placement placement{1, 4, 4, 2, 2, {0, 1, 2, 3}};
    EXPECT_TRUE(keepsGroupsOnNodes(placement, 2));
    EXPECT_TRUE(keepsGroupsOnNodes(placement, 4));
    EXPECT_FALSE(keepsGroupsOnNodes(placement, 1));
    placement.physicalToLogical = {2, 1, 0, 3};
    EXPECT_FALSE(keepsGroupsOnNodes(placement, 2));
    EXPECT_THROW(keepsGroupsOnNodes(placement, 3), Error);
}

void expectRefused(const Placement& placement, const std::string& message) {
    try {
        checkPlacement(placement);
        ADD_FAILURE() << "accepted: " << message;
    } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()), message);
    }
}

TEST(Placement, RefusesNonsenseInOneSentence) {
    Placement missing = example();
    missing.physicalToLogical[7] = 1;
    expectRefused(missing, "placement: layer 1: expert 2 has no slot");
    Placement stranger = example();
    stranger.physicalToLogical[2] = 4;
    expectRefused(stranger, "placement: layer 0: slot 2 holds 4, which is no expert");
    Placement cut = example();
    cut.physicalToLogical.pop_back();
    expectRefused(cut, "placement: 11 entries are not 2 layers of 6 slots");
    Placement uneven = example();
    uneven.gpus = 4;
    expectRefused(uneven, "placement: 6 slots cannot be shared evenly by 4 GPUs");
    Placement nodes = example();
    nodes.nodes = 3;
    expectRefused(nodes, "placement: 2 GPUs cannot be shared evenly by 3 nodes");
    Placement none;
    EXPECT_THROW(checkPlacement(none), Error);
}

TEST(Placement, RefusesLoadsAndSizesThatDoNotFit) {
    EXPECT_THROW(rankLoads(example(), {1, 4, {1, 2, 3, 4}}), Error);
    EXPECT_THROW(checkLoads({1, 2, {1, kNaN}}), Error);
    EXPECT_THROW(checkLoads({1, 2, {1, 1e300}}), Error);
    Placement other = example();
    other.gpus = 1;
    EXPECT_THROW(movedSlots(example(), other), Error);
    EXPECT_THROW(gpuMemoryBytes(example(), -1), Error);
    EXPECT_THROW(gpuMemoryBytes(example(), std::numeric_limits<std::int64_t>::max()), Error);
}

}  // namespace
}  // namespace gatescope
