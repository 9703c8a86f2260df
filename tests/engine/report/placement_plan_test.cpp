// SPDX-License-Identifier: Apache-2.0
#include "engine/report/placement_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "engine/analysis/eplb.h"
#include "engine/analysis/rank_balance.h"
#include "engine/report/placement_export.h"
#include "engine/report/session_loads.h"
#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope::test {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::Each;
using testing::HasSubstr;
using Json = nlohmann::json;

constexpr int kLayers = 3;
constexpr int kExperts = 16;

/// Traffic in which some experts are liked far better than others.
RecordedLoads traffic(int blocks, std::vector<int> layers = {3, 4, 5}) {
    RecordedLoads loads;
    loads.layers = std::move(layers);
    loads.format = "test";
    std::mt19937 random(3);
    for (int block = 0; block < blocks; ++block) {
        ExpertLoads& some = loads.blocks.emplace_back(ExpertLoads{kLayers, kExperts, {}});
        for (int i = 0; i < kLayers * kExperts; ++i) {
            const double mean = 400.0 / (1 + i * 7 % kExperts);
            some.values.push_back(std::floor(mean) + static_cast<double>(random() % 20));
        }
    }
    return loads;
}

PlacementRequest request(PlacementPolicy policy = PlacementPolicy::Gatescope) {
    PlacementRequest out;
    out.shape = {20, 4, 2, 4};
    out.policy = policy;
    out.threads = 1;
    return out;
}

double meanOf(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TEST(PlacementPlan, PredictsEveryEnginesBalanceAndTheLoadOfEachGpu) {
    const PlacementPlan plan = planForLoads(traffic(4), request());
    const ExpertLoads loads = traffic(4).total();
    for (const auto& [balance, placement] :
         {std::pair(plan.after, plan.placement),
          std::pair(*plan.before, readPlacement("[[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15],"
                                                "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15],"
                                                "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]]",
                                                "in order", {{3, 4, 5}, 6}, kExperts, 4, 2))}) {
        const RankLoads ranks = rankLoads(placement, loads);
        EXPECT_EQ(balance.sglang, sglangBalancedness(std::span(&ranks, 1)));
        EXPECT_EQ(balance.vllm, vllmBalancedness(ranks));
        EXPECT_EQ(balance.vllmPeakRatio, vllmPeakRatio(ranks));
        EXPECT_EQ(balance.tensorRt, tensorRtImbalance(std::span(&ranks, 1)));
        EXPECT_EQ(balance.stragglerCost, stragglerCost(ranks));
        EXPECT_EQ(balance.stragglerTime, stragglerTime(ranks));
        ASSERT_EQ(balance.gpuLoads.size(), 4U);
        EXPECT_THAT(meanOf(balance.gpuLoads), DoubleNear(1, 1e-12));
        for (std::size_t gpu = 0; gpu < 4; ++gpu) {
            const double own = ranks.row(0)[gpu] + ranks.row(1)[gpu] + ranks.row(2)[gpu];
            EXPECT_NEAR(balance.gpuLoads[gpu], own * 4 / plan.choices, 1e-12);
        }
    }
    EXPECT_GT(plan.after.vllm, plan.before->vllm);
}

TEST(PlacementPlan, IdleTrafficHasNoGpuLoads) {
    const PlacementPlan plan = planForLoads({{3}, {ExpertLoads{1, 4, {0, 0, 0, 0}}}, "test"}, [] {
        PlacementRequest idle;
        idle.shape = {4, 2, 1, 1};
        return idle;
    }());
    for (const double load : plan.after.gpuLoads) EXPECT_TRUE(std::isnan(load));
    EXPECT_TRUE(
        Json::parse(placementJson(plan, false)).at("predicted").at("gpu_loads")[0].is_null());
}

TEST(PlacementPlan, EplbIsEplb) {
    const PlacementRequest asked = request(PlacementPolicy::Eplb);
    const PlacementPlan plan = planForLoads(traffic(4), asked);
    EXPECT_EQ(plan.placement, eplb(traffic(4).total(), asked.shape));
    EXPECT_TRUE(plan.heldOut);
    EXPECT_FALSE(plan.heldOutEplb);  // it would be the same once more
}

TEST(PlacementPlan, IsHeldOutOnlyWhereThereAreHalves) {
    const PlacementPlan one = planForLoads(traffic(1), request());
    EXPECT_FALSE(one.heldOut);
    EXPECT_FALSE(one.heldOutEplb);
    const PlacementPlan two = planForLoads(traffic(2), request());
    ASSERT_TRUE(two.heldOut);
    ASSERT_TRUE(two.heldOutEplb);
    const PlacementPlan many = planForLoads(traffic(12), request());
    EXPECT_LT(many.heldOut->heldOut.low, many.heldOut->heldOut.value);
    EXPECT_LT(many.heldOut->heldOut.value, many.heldOut->heldOut.high);
    const PlacementPlan eplbs = planForLoads(traffic(2), request(PlacementPolicy::Eplb));
    EXPECT_EQ(two.heldOutEplb->heldOut.value, eplbs.heldOut->heldOut.value);
    EXPECT_EQ(two.heldOutEplb->planned, eplbs.heldOut->planned);
}

TEST(PlacementPlan, KeepsGroupsOnNodesUnlessTold) {
    PlacementRequest asked = request();
    const PlacementPlan limited = planForLoads(traffic(4), asked);
    EXPECT_TRUE(limited.nodeLimit);
    EXPECT_TRUE(keepsGroupsOnNodes(limited.placement, 4));
    asked.anyNode = true;
    EXPECT_FALSE(planForLoads(traffic(4), asked).nodeLimit);
    asked.anyNode = false;
    asked.shape.groups = 1;
    EXPECT_FALSE(planForLoads(traffic(4), asked).nodeLimit);
}

TEST(PlacementPlan, SaysWhatHasToBeSent) {
    PlacementRequest asked = request();
    asked.expertBytes = 1000;
    const PlacementPlan first = planForLoads(traffic(4), asked);
    EXPECT_FALSE(first.beforeIsCurrent);
    EXPECT_FALSE(first.moved);
    EXPECT_EQ(first.gpuBytes, 1000 * kLayers * 5);
    asked.current = first.placement;
    asked.policy = PlacementPolicy::Eplb;
    const PlacementPlan second = planForLoads(traffic(4), asked);
    EXPECT_TRUE(second.beforeIsCurrent);
    EXPECT_EQ(second.before->vllm, first.after.vllm);
    EXPECT_EQ(second.moved, movedSlots(first.placement, second.placement));
    EXPECT_GT(*second.moved, 0);
    EXPECT_EQ(second.migrationBytes, *second.moved * 1000);
}

TEST(PlacementPlan, NothingIsBeforeWhereExpertsDoNotDivide) {
    PlacementRequest asked = request();
    asked.shape = {20, 5, 1, 1};
    EXPECT_FALSE(planForLoads(traffic(1), asked).before);
}

TEST(PlacedLayers, AreThoseOfTheLoadsOrAsAsked) {
    PlacementRequest asked = request();
    EXPECT_EQ(placedLayers(traffic(1), asked).layers, (std::vector{3, 4, 5}));
    EXPECT_EQ(placedLayers(traffic(1), asked).total, 6);
    asked.firstLayer = 1;
    asked.totalLayers = 9;
    EXPECT_EQ(placedLayers(traffic(1), asked).layers, (std::vector{1, 2, 3}));
    EXPECT_EQ(placedLayers(traffic(1, {}), asked).layers, (std::vector{1, 2, 3}));
    EXPECT_EQ(placedLayers(traffic(1), asked).total, 9);
    EXPECT_EQ(planForLoads(traffic(1), asked).layers.layers, (std::vector{1, 2, 3}));
}

TEST(PlacedLayers, HaveToBeKnownWhereATargetCountsAll) {
    for (const PlacementTarget target :
         {PlacementTarget::Eplb, PlacementTarget::Sglang, PlacementTarget::TensorRtLlm,
          PlacementTarget::Vllm, PlacementTarget::VllmAscend}) {
        const auto plan = [&] { planForLoads(traffic(1, {}), request(), target); };
        if (countsAllLayers(target))
            EXPECT_THAT(errorOf(plan), HasSubstr("first")) << name(target);
        else
            EXPECT_NO_THROW(plan()) << name(target);
    }
}

TEST(PlacedLayers, OutsideTheModelAreRefused) {
    PlacementRequest asked = request();
    asked.totalLayers = 5;
    EXPECT_THAT(errorOf([&] { planForLoads(traffic(1), asked, PlacementTarget::Vllm); }),
                HasSubstr("5"));
    asked.firstLayer = 2'000'000'000;
    EXPECT_THAT(errorOf([&] { placedLayers(traffic(1), asked); }), HasSubstr("2000000000"));
}

TEST(PlacementPlan, StopsWhenTold) {
    std::stop_source stop;
    stop.request_stop();
    for (const PlacementPolicy policy : {PlacementPolicy::Eplb, PlacementPolicy::Gatescope}) {
        const auto never = [](std::string_view, std::uint64_t, std::uint64_t) { return false; };
        EXPECT_THROW(planForLoads(traffic(2), request(policy), {}, never), Cancelled);
        EXPECT_THROW(planForLoads(traffic(2), request(policy), {}, {}, stop.get_token()),
                     Cancelled);
    }
}

TEST(PlacementPlan, RefusesAShapeThatDoesNotFit) {
    PlacementRequest asked = request();
    asked.shape.gpus = 7;
    EXPECT_THAT(errorOf([&] { planForLoads(traffic(1), asked); }), HasSubstr("7"));
}

TEST(PlacementPolicies, HaveNames) {
    for (const PlacementPolicy policy : {PlacementPolicy::Eplb, PlacementPolicy::Gatescope}) {
        EXPECT_EQ(placementPolicyFromName(name(policy)), policy);
    }
    EXPECT_FALSE(placementPolicyFromName("best"));
}

TEST(PlacementExport, WritesTheTargetsFileAndWhatItIsMadeFrom) {
    const TestFolder folder;
    PlacementPlan plan = planForLoads(traffic(4), request());
    plan.source = "somewhere \xFF";
    for (const PlacementTarget target :
         {PlacementTarget::Eplb, PlacementTarget::Sglang, PlacementTarget::TensorRtLlm,
          PlacementTarget::Vllm, PlacementTarget::VllmAscend}) {
        const auto file = folder / std::string(name(target));
        writePlacement(plan, target, file);
        EXPECT_EQ(readPlacementFile(file, plan.layers, kExperts, 4, 2), plan.placement);
        const Json about = Json::parse(fileText(placementMetaFile(file)));
        EXPECT_EQ(about.at("loads").at("source"), "somewhere \xEF\xBF\xBD");
        EXPECT_FALSE(about.contains("phy2log"));
        EXPECT_EQ(about.at("predicted").at("gpu_loads").size(), 4U);
    }
}

TEST(PlacementExport, LeavesNothingWhereItFails) {
    const TestFolder folder;
    PlacementPlan plan = planForLoads(traffic(1), request());
    std::filesystem::create_directory(placementMetaFile(folder / "p.json"));
    EXPECT_THAT(errorOf([&] { writePlacement(plan, PlacementTarget::Vllm, folder / "p.json"); }),
                HasSubstr("p.json"));
    EXPECT_FALSE(std::filesystem::exists(folder / "p.json"));
}

TEST(PlacementExport, ReadsNoFolderAsAPlacement) {
    const TestFolder folder;
    EXPECT_THAT(errorOf([&] {
                    readPlacementFile(folder.path(), {{0}, 1}, 4, 2, 1);
                }),
                HasSubstr("gatescope-test"));
}

}  // namespace
}  // namespace gatescope::test
