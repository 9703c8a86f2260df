// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/placement_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/analysis/best_matching.h"
#include "engine/analysis/eplb.h"
#include "engine/analysis/rank_balance.h"
#include "engine/error.h"
#include "tests/engine/analysis/placement_loads.h"

namespace gatescope {
namespace {

/// Loads that are certain.
PlannerOptions certain() {
    PlannerOptions options;
    options.dispersion = 0;
    options.drift = 0;
    options.effort = 300;
    return options;
}

ExpertLoads randomLoads(int layers, int experts, std::mt19937_64& random) {
    ExpertLoads out{layers, experts, {}};
    for (int i = 0; i < layers * experts; ++i) {
        out.values.push_back(static_cast<double>(1 + random() % 30 * (random() % 4)));
    }
    return out;
}

/// The least possible load of the busiest GPU for one layer, by trying every set of experts on
/// every GPU.
class BruteForce {
  public:
    BruteForce(const ExpertLoads& loads, int gpus, int places)
        : m_loads(loads), m_gpus(gpus), m_places(places) {}

    double least() {
        std::vector<unsigned> held;
        place(held);
        return m_least;
    }

  private:
    void place(std::vector<unsigned>& held) {
        if (std::ssize(held) == m_gpus) {
            judge(held);
            return;
        }
        // GPUs are alike: sets in ascending order are enough
        for (unsigned set = held.empty() ? 0 : held.back(); set < 1U << m_loads.experts; ++set) {
            if (std::popcount(set) != m_places) continue;
            held.push_back(set);
            place(held);
            held.pop_back();
        }
    }
    void judge(const std::vector<unsigned>& held) {
        std::vector<double> sums(held.size());
        for (int e = 0; e < m_loads.experts; ++e) {
            const auto has = [&](unsigned set) { return (set >> e & 1U) != 0; };
            const auto copies = std::count_if(held.begin(), held.end(), has);
            if (copies == 0) return;
            for (std::size_t g = 0; g < held.size(); ++g) {
                if (!has(held[g])) continue;
                sums[g] +=
                    m_loads.values[static_cast<std::size_t>(e)] / static_cast<double>(copies);
            }
        }
        m_least = std::min(m_least, *std::max_element(sums.begin(), sums.end()));
    }

    const ExpertLoads& m_loads;
    int m_gpus;
    int m_places;
    double m_least = std::numeric_limits<double>::infinity();
};

TEST(PlacementPlanner, SmallCasesAgainstTheOptimum) {
    std::mt19937_64 random(8);
    int optimal = 0;
    double excess = 0;
    constexpr int kCases = 40;
    for (int i = 0; i < kCases; ++i) {
        const ExpertLoads loads = randomLoads(1, 6, random);
        const int places = 3 + i % 2;
        const Placement plan = planPlacement(loads, {3 * places, 3, 1, 1}, certain());
        const double least = BruteForce(loads, 3, places).least();
        const double found = stragglerTime(rankLoads(plan, loads));
        EXPECT_GE(found, least * (1 - 1e-12));
        EXPECT_LE(found, least * 1.1) << "case " << i;
        optimal += found <= least * (1 + 1e-9) ? 1 : 0;
        excess += (found / least - 1) / kCases;
    }
    EXPECT_GE(optimal, kCases * 3 / 4);
    EXPECT_LT(excess, 0.01);
}

TEST(PlacementPlanner, TensorRtExampleWithoutTheWastedCopy) {
    const ExpertLoads loads{1, 8, {100, 80, 20, 20, 10, 10, 10, 10}};
    const Placement plan = planPlacement(loads, {12, 4, 1, 1}, certain());
    EXPECT_EQ(wastedSlots(plan), 0);
    EXPECT_LE(stragglerTime(rankLoads(plan, loads)), 70);
}

TEST(PlacementPlanner, EveryPlanIsValid) {
    std::mt19937_64 random(5);
    const std::vector<PlacementShape> shapes{{16, 16, 2, 4}, {24, 4, 2, 4},  {32, 4, 4, 8},
                                             {32, 16, 4, 4}, {64, 16, 4, 8}, {16, 1, 1, 2},
                                             {64, 8, 8, 8}};
    for (const PlacementShape& shape : shapes) {
        for (const bool nodeLimit : {false, true}) {
            const bool fits = shape.slots / shape.gpus <= 16 / shape.nodes;
            PlannerOptions options;
            options.nodeLimit = nodeLimit;
            ExpertLoads loads = randomLoads(4, 16, random);
            std::fill(loads.values.begin(), loads.values.begin() + 16, 0);  // nothing routed
            std::fill(loads.values.begin() + 16, loads.values.begin() + 31, 0);
            loads.values[31] = 1e6;  // all to one expert
            SCOPED_TRACE(std::to_string(shape.slots) + " slots, " + std::to_string(shape.gpus));
            if (nodeLimit && !fits) {
                EXPECT_THROW(planPlacement(loads, shape, options), Error);
                continue;
            }
            const Placement plan = planPlacement(loads, shape, options);
            checkPlacement(plan);
            EXPECT_EQ(wastedSlots(plan), 0);
            EXPECT_TRUE(!nodeLimit || keepsGroupsOnNodes(plan, shape.groups));
        }
    }
}

TEST(PlacementPlanner, SameForAnyNumberOfThreads) {
    std::mt19937_64 random(6);
    const SyntheticLoads synthetic = syntheticLoads(9, {12, 64, 4});
    const ExpertLoads loads = sampledLoads(synthetic.expected, random);
    PlannerOptions options;
    options.threads = 1;
    const Placement one = planPlacement(loads, {80, 16, 4, 8}, options);
    for (const int threads : {2, 3, 8}) {
        options.threads = threads;
        EXPECT_EQ(planPlacement(loads, {80, 16, 4, 8}, options), one);
    }
}

TEST(PlacementPlanner, APriceKeepsCopiesWhereTheyAre) {
    std::mt19937_64 random(7);
    const SyntheticLoads synthetic = syntheticLoads(10, {8, 64, 4});
    const PlacementShape shape{80, 16, 4, 8};
    for (const bool nodeLimit : {false, true}) {
        PlannerOptions options;
        options.nodeLimit = nodeLimit;
        const Placement before =
            planPlacement(sampledLoads(synthetic.expected, random), shape, options);
        const ExpertLoads now = sampledLoads(driftedLoads(synthetic.expected, 0.4, random), random);
        const Placement fresh = planPlacement(now, shape, options);
        options.current = CurrentPlacement{before, std::int64_t{1} << 25, 0};
        const Placement free = planPlacement(now, shape, options);
        options.current->pricePerGiB = 0.1;
        const Placement priced = planPlacement(now, shape, options);
        options.current->pricePerGiB = 1e6;
        EXPECT_EQ(movedSlots(before, planPlacement(now, shape, options)), 0);
        EXPECT_LE(movedSlots(before, free), movedSlots(before, fresh));
        EXPECT_LT(movedSlots(before, priced), movedSlots(before, free));
        EXPECT_GT(vllmBalancedness(rankLoads(priced, now)),
                  vllmBalancedness(rankLoads(before, now)));
        EXPECT_EQ(wastedSlots(priced), 0);
        EXPECT_TRUE(!nodeLimit || keepsGroupsOnNodes(priced, 8));
    }
}

TEST(PlacementPlanner, CancelsAndReports) {
    const ExpertLoads loads{3, 4, std::vector<double>(12, 1)};
    PlannerOptions options;
    std::uint64_t reported = 0;
    options.progress = [&](std::string_view, std::uint64_t done, std::uint64_t total) {
        EXPECT_EQ(total, 3U);
        reported = done;
        return true;
    };
    planPlacement(loads, {6, 2, 1, 1}, options);
    EXPECT_EQ(reported, 3U);
    options.progress = [](std::string_view, std::uint64_t, std::uint64_t) { return false; };
    EXPECT_THROW(planPlacement(loads, {6, 2, 1, 1}, options), Cancelled);
    options.progress = {};
    std::stop_source stop;
    stop.request_stop();
    options.stop = stop.get_token();
    EXPECT_THROW(planPlacement(loads, {6, 2, 1, 1}, options), Cancelled);
}

TEST(PlacementPlanner, RefusesWhatCannotBe) {
    const ExpertLoads loads{1, 4, {1, 2, 3, 4}};
    EXPECT_THROW(planPlacement(loads, {5, 1, 1, 1}), Error);  // two copies on the only GPU
    PlannerOptions options;
    options.nodeLimit = true;
    EXPECT_THROW(planPlacement(loads, {8, 4, 4, 2}, options), Error);
    options = {};
    options.drift = -1;
    EXPECT_THROW(planPlacement(loads, {4, 2, 1, 1}, options), Error);
    options = {};
    options.current = CurrentPlacement{{1, 4, 4, 4, 1, {0, 1, 2, 3}}, 1, 0};
    EXPECT_THROW(planPlacement(loads, {4, 2, 1, 1}, options), Error);
}

TEST(BestMatching, AgainstAllPermutations) {
    std::mt19937_64 random(2);
    for (int round = 0; round < 100; ++round) {
        const std::size_t n = 1 + random() % 6;
        std::vector<double> gains(n * n);
        for (double& gain : gains) gain = static_cast<double>(random() % 10);
        const auto sum = [&](const std::vector<std::size_t>& columns) {
            double out = 0;
            for (std::size_t row = 0; row < n; ++row) out += gains[row * n + columns[row]];
            return out;
        };
        std::vector<std::size_t> columns(n);
        std::iota(columns.begin(), columns.end(), std::size_t{0});
        double best = 0;
        do {
            best = std::max(best, sum(columns));
        } while (std::next_permutation(columns.begin(), columns.end()));
        const std::vector<std::size_t> found = bestMatching(gains, n);
        EXPECT_EQ(std::set<std::size_t>(found.begin(), found.end()).size(), n);
        EXPECT_EQ(sum(found), best);
    }
}

/// Mean balancedness on later windows, each as long as the one planned on.
double heldOut(const Placement& placement, const std::vector<ExpertLoads>& windows) {
    double sum = 0;
    for (const ExpertLoads& window : windows) sum += vllmBalancedness(rankLoads(placement, window));
    return sum / static_cast<double>(windows.size());
}

/// 61 layers of 256 experts in 288 slots on 32 GPUs, 20 matrices. Where chance is all that is left
/// to lose, both planners come out alike: "never worse" is meant to a twentieth of a point, which
/// is less than what one window differs from the next.
void expectBetterThanEplb(bool nodeLimit, double leastMeanGain) {
    constexpr double kAlike = 0.0005;
    const PlacementShape shape{288, 32, 4, 8};
    double gain = 0;
    for (int i = 0; i < kSyntheticMatrices; ++i) {
        const SyntheticLoads synthetic = syntheticLoads(i);
        std::mt19937_64 random(500U + static_cast<unsigned>(i));
        const ExpertLoads seen = sampledLoads(synthetic.expected, random);
        std::vector<ExpertLoads> windows;
        for (int w = 0; w < 16; ++w) windows.push_back(laterLoads(synthetic, random));
        PlannerOptions options;
        options.nodeLimit = nodeLimit;
        const Placement plan = planPlacement(seen, shape, options);
        EXPECT_EQ(wastedSlots(plan), 0);
        const double ours = heldOut(plan, windows);
        const double theirs =
            heldOut(nodeLimit ? eplb(seen, shape) : eplbGlobal(seen, shape), windows);
        EXPECT_GE(ours, theirs - kAlike) << synthetic.name;
        gain += (ours - theirs) / kSyntheticMatrices;
    }
    EXPECT_GT(gain, leastMeanGain);
}

TEST(PlacementPlanner, NeverWorseThanEplbOnHeldOutTraffic) {
    expectBetterThanEplb(false, 0.001);
}

TEST(PlacementPlanner, NeverWorseThanHierarchicalEplb) {
    expectBetterThanEplb(true, 0.003);
}

}  // namespace
}  // namespace gatescope
