// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/eplb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "engine/analysis/rank_balance.h"
#include "engine/error.h"

namespace gatescope {
namespace {

using Json = nlohmann::json;
using Matrix = std::vector<std::vector<double>>;

Json goldenCases() {
    std::ifstream file(std::string(GATESCOPE_GOLDEN_DIR) + "/eplb.json");
    return Json::parse(file).at("cases");
}

ExpertLoads loadsOf(const Matrix& rows) {
    ExpertLoads loads{static_cast<int>(rows.size()), static_cast<int>(rows.at(0).size()), {}};
    for (const auto& row : rows) {
        loads.values.insert(loads.values.end(), row.begin(), row.end());
    }
    return loads;
}

PlacementShape shapeOf(const Json& entry) {
    return {entry.at("num_replicas"), entry.at("num_gpus"), entry.at("num_nodes"),
            entry.at("num_groups")};
}

void expectLoads(const Placement& placement, const ExpertLoads& loads, const Json& expected) {
    const RankLoads ranks = rankLoads(placement, loads);
    for (int layer = 0; layer < ranks.layers; ++layer) {
        const auto row = ranks.row(layer);
        const auto wanted = expected.at(static_cast<std::size_t>(layer)).get<std::vector<double>>();
        ASSERT_EQ(row.size(), wanted.size());
        for (std::size_t gpu = 0; gpu < row.size(); ++gpu) {
            EXPECT_NEAR(row[gpu], wanted[gpu], 1e-9 * (1 + wanted[gpu])) << layer << ", " << gpu;
        }
    }
}

/// Copies of one expert tie with each other, so that their order is the sorting routine's.
void expectMaps(const Placement& placement, const Json& entry) {
    const auto slots = logicalToPhysical(placement);
    const std::vector<int> counts = replicaCounts(placement);
    std::size_t index = 0;
    for (int layer = 0; layer < placement.layers; ++layer) {
        const auto at = static_cast<std::size_t>(layer);
        const auto row = placement.row(layer);
        EXPECT_EQ(std::vector<int>(row.begin(), row.end()),
                  entry.at("phy2log").at(at).get<std::vector<int>>());
        for (std::size_t e = 0; e < static_cast<std::size_t>(placement.experts); ++e, ++index) {
            EXPECT_EQ(counts[index], entry.at("logcnt").at(at).at(e).get<int>());
            auto wanted = entry.at("log2phy").at(at).at(e).get<std::vector<std::int32_t>>();
            std::erase(wanted, -1);
            std::sort(wanted.begin(), wanted.end());
            EXPECT_EQ(slots[index], wanted);
        }
    }
}

TEST(Eplb, GoldenCases) {
    const Json cases = goldenCases();
    EXPECT_EQ(cases.size(), 9U);
    for (const Json& entry : cases) {
        SCOPED_TRACE(entry.at("name").get<std::string>());
        const ExpertLoads loads = loadsOf(entry.at("weight").get<Matrix>());
        const PlacementShape shape = shapeOf(entry);
        const Placement placement = eplb(loads, shape);
        checkPlacement(placement);
        EXPECT_EQ(placement.nodes, shape.nodes);
        if (entry.at("policy") == "global") {
            EXPECT_EQ(placement, eplbGlobal(loads, shape));
        } else {
            EXPECT_TRUE(keepsGroupsOnNodes(placement, shape.groups));
        }
        expectLoads(placement, loads, entry.at("gpu_load"));
        if (!entry.value("ties", false)) expectMaps(placement, entry);
    }
}

TEST(Eplb, GlobalOnThePublishedExampleWastesASlot) {
    const ExpertLoads loads = loadsOf({{90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86}});
    const Placement placement = eplbGlobal(loads, {16, 8, 2, 4});
    EXPECT_EQ(placement.physicalToLogical,
              (std::vector<std::int32_t>{10, 6, 10, 7, 0, 2, 11, 4, 5, 9, 5, 4, 8, 3, 1, 1}));
    EXPECT_NEAR(vllmBalancedness(rankLoads(placement, loads)), 0.932310, 1e-6);
    EXPECT_EQ(wastedSlots(placement), 1);
}

TEST(Eplb, BalancednessOfThePublishedExample) {
    const Json entry = goldenCases().at(0);
    const ExpertLoads loads = loadsOf(entry.at("weight").get<Matrix>());
    const std::vector<double> factors =
        stragglerFactors(rankLoads(eplb(loads, shapeOf(entry)), loads));
    EXPECT_NEAR(1 / factors[0], 0.827724, 1e-6);
    EXPECT_NEAR(1 / factors[1], 0.805014, 1e-6);
}

TEST(Eplb, EqualLoadsGoInOrder) {
    const Placement placement = eplb(loadsOf({{1, 1, 1, 1}}), {6, 2, 1, 1});
    EXPECT_EQ(placement.physicalToLogical, (std::vector<std::int32_t>{2, 0, 0, 3, 1, 1}));
}

TEST(Eplb, RefusesWhatCannotBeLaidOut) {
    const ExpertLoads loads = loadsOf({{1, 2, 3, 4}});
    EXPECT_THROW(eplb(loads, {7, 2, 1, 1}), Error);
    EXPECT_THROW(eplb(loads, {2, 2, 1, 1}), Error);
    EXPECT_THROW(eplb(loads, {6, 3, 2, 2}), Error);
    EXPECT_THROW(eplb(loads, {6, 3, 1, 3}), Error);
    EXPECT_THROW(eplb(loads, {6, 3, 0, 1}), Error);
    EXPECT_THROW(eplb(loadsOf({{1, 2, 3, -4}}), {4, 2, 1, 1}), Error);
    EXPECT_THROW(eplb({1, 4, {1, 2, 3}}, {4, 2, 1, 1}), Error);
}

}  // namespace
}  // namespace gatescope
