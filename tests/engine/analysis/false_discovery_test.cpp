// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/false_discovery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace gatescope {
namespace {

TEST(AdjustedPValues, ByHand) {
    // Sorted 0.01, 0.02, 0.03, 0.5 of 4: 0.04, 0.04, 0.04, 0.5.
    const std::vector<double> q = adjustedPValues(std::vector<double>{0.03, 0.5, 0.01, 0.02});
    EXPECT_DOUBLE_EQ(q[0], 0.04);
    EXPECT_DOUBLE_EQ(q[1], 0.5);
    EXPECT_DOUBLE_EQ(q[2], 0.04);
    EXPECT_DOUBLE_EQ(q[3], 0.04);
    // The example of Benjamini and Hochberg (1995): of 15 tests the first four are called at 0.05.
    const std::vector<double> example{0.0001, 0.0004, 0.0019, 0.0095, 0.0201,
                                      0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
                                      0.4262, 0.5719, 0.6528, 0.7590, 1.0};
    const std::vector<double> adjusted = adjustedPValues(example);
    EXPECT_EQ(std::count_if(adjusted.begin(), adjusted.end(), [](double v) { return v <= 0.05; }),
              4);
    EXPECT_DOUBLE_EQ(adjusted[0], 0.0015);
    EXPECT_DOUBLE_EQ(adjusted[14], 1);
}

TEST(AdjustedPValues, CallsWhatTheStepUpRuleCalls) {
    std::mt19937 random(11);
    std::uniform_real_distribution<double> uniform;
    for (int round = 0; round < 100; ++round) {
        std::vector<double> p(1 + random() % 50);
        for (double& value : p) {
            value = std::pow(uniform(random), 1 + round % 4);
        }
        const std::vector<double> q = adjustedPValues(p);
        std::vector<double> sorted = p;
        std::sort(sorted.begin(), sorted.end());
        for (const double rate : {0.01, 0.05, 0.2, 0.7}) {
            double limit = -1;  // the largest p_(i) <= i rate / m
            for (std::size_t i = 0; i < sorted.size(); ++i) {
                const double line =
                    rate * static_cast<double>(i + 1) / static_cast<double>(sorted.size());
                limit = sorted[i] <= line ? sorted[i] : limit;
            }
            for (std::size_t i = 0; i < p.size(); ++i) {
                EXPECT_EQ(q[i] <= rate, p[i] <= limit);
            }
        }
        for (std::size_t i = 0; i < p.size(); ++i) {
            EXPECT_GE(q[i], p[i] * (1 - 1e-15));
            EXPECT_LE(q[i], 1);
        }
    }
}

TEST(AdjustedPValues, TestsNotMadeDoNotCount) {
    const double nan = std::nan("");
    const std::vector<double> q = adjustedPValues(std::vector<double>{nan, 0.02, nan, 0.04});
    EXPECT_TRUE(std::isnan(q[0]));
    EXPECT_TRUE(std::isnan(q[2]));
    EXPECT_DOUBLE_EQ(q[1], 0.04);
    EXPECT_DOUBLE_EQ(q[3], 0.04);
    EXPECT_TRUE(adjustedPValues({}).empty());
}

}  // namespace
}  // namespace gatescope
