// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/speculation_policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace gatescope {
namespace {

TEST(CostCurve, IsTheMedianOfTheNewestMeasurements) {
    CostCurve curve;
    EXPECT_TRUE(std::isnan(curve.at(1)));
    for (const double ns : {900.0, 800.0}) curve.add(1, ns);  // warm-up
    EXPECT_FALSE(curve.measured(1));
    for (const double ns : {100.0, 5000.0, 110.0}) curve.add(1, ns);
    EXPECT_EQ(curve.at(1), 110);
    for (int i = 0; i < 40; ++i) curve.add(1, 300);
    EXPECT_EQ(curve.at(1), 300) << "old measurements count no longer";
}

TEST(CostCurve, DrawsAStraightLineThroughWhatWasMeasured) {
    CostCurve curve;
    const auto measure = [&](int size, double ns) {
        for (int i = 0; i < 5; ++i) curve.add(size, ns);
    };
    measure(1, 100);
    EXPECT_GT(curve.at(3), curve.at(2)) << "further positions are taken to cost something";
    measure(3, 140);
    EXPECT_DOUBLE_EQ(curve.at(2), 120);
    EXPECT_DOUBLE_EQ(curve.at(5), 180);
}

TEST(FadingRate, ForgetsWhatWasLongAgo) {
    FadingRate rate;
    EXPECT_DOUBLE_EQ(rate.rate(0.7, 4), 0.7);
    for (int i = 0; i < 200; ++i) rate.add(false);
    EXPECT_LT(rate.rate(0.7, 4), 0.1);
    for (int i = 0; i < 200; ++i) rate.add(true);
    EXPECT_GT(rate.rate(0.7, 4), 0.9);
}

TEST(SpeculationMemory, LearnsByPositionConfidenceAndMatchLength) {
    SpeculationMemory memory;
    SpeculativeStep step;
    step.drafts = {{1, 0.99f, 1}, {2, 0.2f, 0}, {3, 0.5f, 0}};
    step.accepted = 1;
    for (int i = 0; i < 100; ++i) memory.addOutcome(step);
    EXPECT_GT(memory.mtpAcceptance(0), 0.9);
    EXPECT_LT(memory.mtpAcceptance(1), 0.1);
    EXPECT_GT(memory.mtpAcceptance(1, 0.99f), memory.mtpAcceptance(1, 0.2f));
    SpeculativeStep lookup;
    lookup.source = DraftSource::Lookup;
    lookup.drafts = {{1, 1, 1}};
    for (int i = 0; i < 100; ++i) {
        lookup.matchLength = i % 2 ? 2 : 20;
        lookup.accepted = i % 2 ? 0 : 1;
        memory.addOutcome(lookup);
    }
    EXPECT_LT(memory.lookupAcceptance(2), 0.2);
    EXPECT_GT(memory.lookupAcceptance(20), 0.8);
}

/// A machine with given times and a module with given acceptances, run by the policy.
struct Simulation {
    std::vector<double> passNs{0, 100, 125, 150, 175, 200, 225, 250, 275, 300};  ///< by positions
    double draftNs = 20;
    double pairNs = 0.5;
    std::vector<double> acceptance;  ///< by position of the draft
    double lookupShare = 0;          ///< of the steps that have a match
    double lookupAcceptance = 0;

    double ns = 0;
    std::int64_t tokens = 0;
    std::int64_t drafted = 0;
    std::int64_t steps = 0;

    double rate() const { return static_cast<double>(tokens) / ns; }
    double gain() const { return rate() * passNs[1]; }
};

void run(Simulation& world, GenerationParams params, SpeculationMemory& memory, int tokens) {
    SpeculationPolicy policy(params, memory);
    std::mt19937 random(7);
    const auto chance = [&](double p) {
        return std::uniform_real_distribution<double>()(random) < p;
    };
    std::int64_t waiting = 1;
    while (world.tokens < tokens) {
        SpeculationPolicy::Possible possible;
        possible.depth = kMaxDrafts;
        possible.mtp = !world.acceptance.empty();
        possible.matchLength = chance(world.lookupShare) ? 8 : 0;
        possible.waitingPairs = waiting;
        const auto plan = policy.plan(possible);
        std::optional<SpeculativeStep> outcome;
        StepTiming timing;
        if (!plan.plain()) {
            outcome.emplace();
            outcome->source = plan.source;
            outcome->matchLength = possible.matchLength;
            const bool mtp = plan.source == DraftSource::Mtp;
            do outcome->drafts.push_back({1, 0.9f, 0.5f});
            while (outcome->drafted() < plan.depth && (!mtp || policy.goOn(outcome->drafts)));
            while (outcome->accepted < outcome->drafted() &&
                   chance(mtp ? world.acceptance[static_cast<std::size_t>(outcome->accepted)]
                              : world.lookupAcceptance))
                ++outcome->accepted;
            if (mtp)
                timing.draftNs =
                    static_cast<std::int64_t>(world.draftNs * outcome->drafted() +
                                              world.pairNs * static_cast<double>(waiting));
        }
        const int positions = 1 + (outcome ? outcome->drafted() : 0);
        timing.forwardNs =
            static_cast<std::int64_t>(world.passNs[static_cast<std::size_t>(positions)]);
        policy.learn(outcome, positions, waiting, timing);
        const int made = 1 + (outcome ? outcome->accepted : 0);
        const bool mtp = outcome && outcome->source == DraftSource::Mtp;
        waiting = (mtp ? 0 : waiting) + made;
        world.ns += static_cast<double>(timing.totalNs());
        world.tokens += made;
        world.drafted += positions - 1;
        ++world.steps;
    }
}

GenerationParams mode(Speculate speculate, int drafts = 0) {
    GenerationParams params;
    params.speculate = speculate;
    params.drafts = drafts;
    return params;
}

TEST(SpeculationPolicy, AutoDraftsDeepWhereDraftsHoldAndPay) {
    Simulation world;
    world.acceptance = std::vector<double>(8, 0.95);
    SpeculationMemory memory;
    run(world, mode(Speculate::Auto, kMaxDrafts), memory, 3000);
    EXPECT_GT(world.gain(), 1.5) << "1.63 is the most there is";
    EXPECT_GT(static_cast<double>(world.drafted) / static_cast<double>(world.steps), 3);
}

TEST(SpeculationPolicy, AutoStopsAtTheDepthWhereDraftsStopHolding) {
    Simulation world;
    world.acceptance = {0.95, 0.9, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05};
    SpeculationMemory memory;
    run(world, mode(Speculate::Auto, kMaxDrafts), memory, 3000);
    EXPECT_NEAR(static_cast<double>(world.drafted) / static_cast<double>(world.steps), 2, 0.3);
}

// What the issue of every serving engine is: speculation that loses. It may cost the probes.
TEST(SpeculationPolicy, AutoDrawsBackWhereDraftingLoses) {
    for (const double acceptance : {0.0, 0.1, 0.3}) {
        Simulation world;
        world.acceptance = std::vector<double>(8, acceptance);
        world.passNs = {0, 100, 180, 260, 340, 420, 500, 580, 660, 740};
        SpeculationMemory memory;
        run(world, mode(Speculate::Auto), memory, 4000);
        EXPECT_GT(world.gain(), 0.98) << acceptance;
        EXPECT_TRUE(memory.mtpLoses());
    }
}

TEST(SpeculationPolicy, AutoComesBackWhenDraftsHoldAgain) {
    Simulation world;
    world.acceptance = std::vector<double>(8, 0.0);
    SpeculationMemory memory;
    run(world, mode(Speculate::Auto), memory, 1000);
    Simulation better;
    better.acceptance = std::vector<double>(8, 0.95);
    run(better, mode(Speculate::Auto), memory, 4000);
    EXPECT_GT(better.gain(), 1.4);
}

TEST(SpeculationPolicy, AutoUsesLookupsWhereTheyHold) {
    Simulation world;
    world.lookupShare = 0.5;
    world.lookupAcceptance = 0.9;
    SpeculationMemory memory;
    run(world, mode(Speculate::Auto), memory, 3000);
    EXPECT_GT(world.gain(), 1.2);
    Simulation useless;
    useless.lookupShare = 0.5;
    useless.lookupAcceptance = 0.02;
    SpeculationMemory other;
    run(useless, mode(Speculate::Auto), other, 3000);
    EXPECT_GT(useless.gain(), 0.98);
}

TEST(SpeculationPolicy, FixedModesDoAsTheyAreTold) {
    SpeculationMemory memory;
    SpeculationPolicy off(mode(Speculate::Off), memory);
    SpeculationPolicy mtp(mode(Speculate::Mtp), memory);
    SpeculationPolicy lookup(mode(Speculate::Lookup), memory);
    SpeculationPolicy::Possible all;
    all.depth = 8;
    all.mtp = true;
    all.matchLength = 3;
    EXPECT_TRUE(off.plan(all).plain());
    EXPECT_EQ(mtp.plan(all).depth, 1);
    EXPECT_EQ(lookup.plan(all).depth, 4);
    EXPECT_EQ(lookup.plan(all).source, DraftSource::Lookup);
    all.depth = 2;
    EXPECT_EQ(lookup.plan(all).depth, 2);
    all.depth = 0;
    EXPECT_TRUE(mtp.plan(all).plain());
    all.depth = 8;
    all.matchLength = 0;
    EXPECT_TRUE(lookup.plan(all).plain());
}

}  // namespace
}  // namespace gatescope
