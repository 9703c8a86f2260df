// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/error.h"

namespace gatescope {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Two layers of four experts on two GPUs with three slots each.
Placement example() {
    return {2, 4, 6, 2, 2, {0, 1, 0, 2, 3, 1, 3, 2, 1, 0, 0, 3}};
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
