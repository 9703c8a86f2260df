// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/speculation_stats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace gatescope {
namespace {

std::vector<VerifyStep> stepsOf(const std::vector<int>& histogram) {
    std::vector<VerifyStep> steps;
    for (std::size_t accepted = 0; accepted < histogram.size(); ++accepted) {
        for (int i = 0; i < histogram[accepted]; ++i) {
            steps.push_back(
                {static_cast<int>(histogram.size()) - 1, static_cast<int>(accepted), 0});
        }
    }
    return steps;
}

SpeculationValue stats(const std::vector<VerifyStep>& steps) {
    return speculationStats(std::span<const VerifyStep>(steps));
}

TEST(SpeculationStats, PublishedHistogram) {
    const SpeculationValue value = stats(stepsOf({39, 1, 0, 3}));
    EXPECT_EQ(value.steps.size(), 43U);
    EXPECT_EQ(value.accepted, 10);
    EXPECT_EQ(value.drafted, 129);
    EXPECT_NEAR(value.length, 1.232558, 5e-7);
    EXPECT_NEAR(value.lengthWithoutBonus, 0.232558, 5e-7);
    EXPECT_NEAR(value.rate, 0.077519, 5e-7);
    ASSERT_EQ(value.positions.size(), 3U);
    EXPECT_DOUBLE_EQ(value.positions[0].unconditional, 4.0 / 43);
    EXPECT_DOUBLE_EQ(value.positions[1].unconditional, 3.0 / 43);
    EXPECT_DOUBLE_EQ(value.positions[2].unconditional, 3.0 / 43);
    EXPECT_DOUBLE_EQ(value.positions[0].conditional, 4.0 / 43);
    EXPECT_DOUBLE_EQ(value.positions[1].conditional, 0.75);
    EXPECT_DOUBLE_EQ(value.positions[2].conditional, 1.0);
}

TEST(SpeculationStats, PositionRatesSumToLengthWithoutBonus) {
    // One draft per step: position 1 is everything.
    std::vector<DraftOutcome> drafts(50);
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        drafts[i].accepted = i % 5 != 0;
        drafts[i].distinctExperts = 20 + static_cast<int>(i % 3);
    }
    const SpeculationValue value = speculationStats(std::span<const DraftOutcome>(drafts));
    EXPECT_EQ(value.drafted, 50);
    EXPECT_EQ(value.accepted, 40);
    EXPECT_DOUBLE_EQ(value.length, 1.8);
    ASSERT_EQ(value.positions.size(), 1U);
    EXPECT_DOUBLE_EQ(value.positions[0].unconditional, value.lengthWithoutBonus);
    EXPECT_DOUBLE_EQ(value.positions[0].conditional, value.rate);
    EXPECT_EQ(value.stepsWithExperts, 50);
    EXPECT_NEAR(value.meanDistinctExperts, 20.98, 1e-12);
}

TEST(SpeculationStats, NothingDraftedIsNotZero) {
    const SpeculationValue value = stats({});
    EXPECT_TRUE(std::isnan(value.rate));
    EXPECT_TRUE(std::isnan(value.length));
    EXPECT_TRUE(std::isnan(value.rate95.low));
    EXPECT_TRUE(std::isnan(value.meanDistinctExperts));
    EXPECT_TRUE(value.positions.empty());
}

TEST(SpeculationStats, WilsonInterval) {
    // 81/263 is the worked example of Newcombe (1998), method 3: 0.2553 to 0.3662.
    EXPECT_NEAR(wilson95(81, 263).low, 0.2553, 5e-5);
    EXPECT_NEAR(wilson95(81, 263).high, 0.3662, 5e-5);
    EXPECT_EQ(wilson95(0, 20).low, 0.0);
    EXPECT_NEAR(wilson95(0, 20).high, 0.1611, 5e-5);
    EXPECT_EQ(wilson95(29, 29).high, 1.0);
    EXPECT_NEAR(wilson95(1, 29).low, 0.0061, 5e-5);
    EXPECT_NEAR(wilson95(1, 29).high, 0.1718, 5e-5);
    EXPECT_TRUE(std::isnan(wilson95(0, 0).low));
    EXPECT_THROW(wilson95(3, 2), std::invalid_argument);
    EXPECT_THROW(wilson95(-1, 2), std::invalid_argument);
}

TEST(SpeculationStats, RunningRateForgetsOldSteps) {
    const std::vector<VerifyStep> steps{{1, 1, 0}, {1, 1, 0}, {1, 0, 0}, {1, 0, 0}, {1, 1, 0}};
    EXPECT_EQ(runningAcceptance(steps, 2), (std::vector<double>{1, 1, 0.5, 0, 0.5}));
    EXPECT_THROW(runningAcceptance(steps, 0), std::invalid_argument);
}

TEST(SpeculationStats, UniformDistinctExperts) {
    // Two positions of 8 of 256: 1.97 times the reads of one; three: 2.91 times.
    EXPECT_NEAR(uniformDistinctExperts(58, 256, 8, 1), 58 * 8, 1e-9);
    EXPECT_NEAR(uniformDistinctExperts(58, 256, 8, 2) / (58 * 8), 1.97, 5e-3);
    EXPECT_NEAR(uniformDistinctExperts(58, 256, 8, 3) / (58 * 8), 2.91, 5e-3);
}

TEST(SpeculationStats, ImpossibleStepsAreOurMistake) {
    EXPECT_THROW(stats({{1, 2, 0}}), std::invalid_argument);
    EXPECT_THROW(stats({{-1, -1, 0}}), std::invalid_argument);
}

}  // namespace
}  // namespace gatescope
