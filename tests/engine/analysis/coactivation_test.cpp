// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/coactivation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "engine/error.h"
#include "relation_traffic.h"

namespace gatescope {
namespace {

constexpr std::uint16_t kEmpty = 0xFFFF;

std::string errorOf(CoactivationCounter& counter, const RoutedToken& token, bool mtp = false) {
    try {
        counter.add(token, mtp);
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

TEST(Coactivation, CountsByHand) {
    CoactivationCounter counter(relationShape(1, 4, 2));
    for (const auto& choices :
         std::vector<std::vector<std::uint16_t>>{{0, 1}, {1, 0}, {0, 2}, {3, 1}}) {
        counter.add(routedToken(choices, 2), false);
    }
    const CoactivationValue value = counter.value(0);
    EXPECT_EQ(value.layer, 1);
    EXPECT_EQ(value.n, 4);
    EXPECT_EQ(value.singles, (std::vector<std::uint32_t>{3, 3, 1, 1}));
    EXPECT_EQ(value.jointCounts, (std::vector<std::uint32_t>{2, 1, 0, 0, 1, 0}));
    EXPECT_EQ(value.joint(1, 0), 2);
    EXPECT_EQ(value.joint(1, 3), 1);
    EXPECT_EQ(value.joint(2, 2), 1);
    EXPECT_DOUBLE_EQ(value.conditional(0, 1), 2.0 / 3);
    EXPECT_DOUBLE_EQ(value.conditional(0, 2), 1.0);
    EXPECT_DOUBLE_EQ(value.conditional(2, 0), 1.0 / 3);
    EXPECT_DOUBLE_EQ(value.chanceConditional(), 1.0 / 3);
    EXPECT_DOUBLE_EQ(value.lift(0, 1), 0.5 / (0.75 * 0.75));
    EXPECT_DOUBLE_EQ(value.expectedLift(), 1.0 * 4 / (3 * 2));
    EXPECT_DOUBLE_EQ(value.expectedCount(0, 1), 4 * 0.75 * 0.75 * 2 / 3);
    // (p_ij - p_i p_j) / sqrt(p_i q_i p_j q_j) = (0.5 - 0.5625) / 0.1875
    EXPECT_DOUBLE_EQ(value.phi(0, 1), -0.0625 / 0.1875);
    EXPECT_TRUE(value.masked(0, 1));
    EXPECT_TRUE(value.topPairs(10).empty());
}

TEST(Coactivation, PublishedChanceLevels) {
    CoactivationCounter counter(relationShape(1, 256, 8));
    std::mt19937 random(1);
    counter.add(routedToken(uniformChoices(random, 1, 256, 8), 8), false);
    EXPECT_NEAR(counter.value(0).chanceConditional(), 0.0275, 5e-5);
    EXPECT_DOUBLE_EQ(counter.value(0).expectedLift(), 7.0 * 256 / (255 * 8));
}

TEST(Coactivation, EqualsANaiveCountOfAllPairs) {
    const int experts = 19;
    const int topK = 5;
    CoactivationCounter counter(relationShape(3, experts, topK));
    std::vector<std::map<std::pair<int, int>, int>> naive(3);
    std::mt19937 random(7);
    for (int t = 0; t < 300; ++t) {
        const auto choices = unevenChoices(random, 3, experts, topK);
        counter.add(routedToken(choices, topK, t % 3 == 0 ? Phase::Prefill : Phase::Decode), false);
        for (std::size_t row = 0; row < 3; ++row) {
            const std::set<int> chosen(choices.begin() + static_cast<int>(row) * topK,
                                       choices.begin() + static_cast<int>(row + 1) * topK);
            for (const int a : chosen) {
                for (const int b : chosen) {
                    ++naive[row][{a, b}];
                }
            }
        }
    }
    for (int row = 0; row < 3; ++row) {
        const CoactivationValue value = counter.value(row);
        for (int i = 0; i < experts; ++i) {
            for (int j = 0; j < experts; ++j) {
                ASSERT_EQ(value.joint(i, j), (naive[static_cast<std::size_t>(row)][{i, j}]))
                    << row << ' ' << i << ' ' << j;
            }
        }
        EXPECT_EQ(std::accumulate(value.jointCounts.begin(), value.jointCounts.end(), 0U),
                  300U * topK * (topK - 1) / 2);
        EXPECT_EQ(value.pairs, 300 * topK * (topK - 1) / 2);
    }
}

TEST(Coactivation, UniformTrafficHasTheExpectedLift) {
    const int experts = 16;
    CoactivationCounter counter(relationShape(1, experts, 4));
    std::mt19937 random(3);
    for (int t = 0; t < 40000; ++t) {
        counter.add(routedToken(uniformChoices(random, 1, experts, 4), 4), false);
    }
    const CoactivationValue value = counter.value(0);
    EXPECT_DOUBLE_EQ(value.expectedLift(), 3.0 * 16 / (15 * 4));
    for (int i = 0; i < experts; ++i) {
        for (int j = 0; j < i; ++j) {
            // 2000 tokens a pair: 5 standard deviations of the count are 11 %.
            EXPECT_NEAR(value.lift(i, j) / value.expectedLift(), 1, 0.11) << i << ' ' << j;
            EXPECT_NEAR(value.expectedCount(i, j), 2000, 150);
        }
    }
}

TEST(Coactivation, FindsAPlantedPair) {
    CoactivationCounter counter(relationShape(1, 32, 4));
    std::mt19937 random(5);
    for (int t = 0; t < 4000; ++t) {
        auto choices = uniformChoices(random, 1, 32, 4);
        if (t % 8 == 0) {
            choices = {11, 27, 2, static_cast<std::uint16_t>(3 + t / 8 % 8)};
            if (t % 16 == 0) {
                choices[2] = 1;
            }
        }
        counter.add(routedToken(choices, 4), false);
    }
    const CoactivationValue value = counter.value(0);
    const auto top = value.topPairs(3);
    ASSERT_EQ(top.size(), 3U);
    EXPECT_EQ(top[0].first, 11);
    EXPECT_EQ(top[0].second, 27);
    EXPECT_GE(top[0].count, 500);
    EXPECT_DOUBLE_EQ(top[0].lift, value.lift(11, 27));
    EXPECT_GT(top[0].phi, 0.3);
    EXPECT_GE(top[0].lift, top[1].lift);
    EXPECT_GE(top[1].lift, top[2].lift);
    EXPECT_EQ(value.topPairsOf(27, 1).at(0).first, 11);
    EXPECT_EQ(value.topPairsOf(27, 99).size(), 31U);
    EXPECT_TRUE(value.topPairs(-1).empty());
}

TEST(Coactivation, MasksPairsByTheirExpectedCount) {
    // Even load of 4 experts, 2 chosen: a pair is expected n / 6 times; 5 at n = 30.
    CoactivationCounter counter(relationShape(1, 4, 2));
    const std::vector<std::vector<std::uint16_t>> all{{0, 1}, {2, 3}, {0, 2},
                                                      {1, 3}, {0, 3}, {1, 2}};
    for (int t = 0; t < 24; ++t) {
        counter.add(routedToken(all[static_cast<std::size_t>(t) % 6], 2), false);
    }
    EXPECT_DOUBLE_EQ(counter.value(0).expectedCount(0, 1), 4);
    EXPECT_TRUE(counter.value(0).masked(0, 1));
    for (int t = 0; t < 12; ++t) {
        counter.add(routedToken(all[static_cast<std::size_t>(t) % 6], 2), false);
    }
    EXPECT_DOUBLE_EQ(counter.value(0).expectedCount(0, 1), 6);
    EXPECT_FALSE(counter.value(0).masked(0, 1));
    EXPECT_EQ(counter.value(0).topPairs(10).size(), 6U);
}

TEST(Coactivation, CountsOnlyOrdinaryWork) {
    CoactivationCounter counter(relationShape(1, 4, 2, true));
    counter.add(routedToken({0, 1}, 2, Phase::Rejected), false);
    counter.add(routedToken({0, 1}, 2, Phase::Prefill, true), false);
    counter.add(routedToken({0, 1}, 2, Phase::Draft, true), true);
    counter.add(RoutedToken{}, false);
    EXPECT_EQ(counter.value(0).n, 0);
    EXPECT_EQ(counter.value(1).n, 0);
    counter.add(routedToken({0, 1}, 2, Phase::Draft), true);
    EXPECT_EQ(counter.rows(), 2);
    EXPECT_EQ(counter.value(0).n, 0);
    EXPECT_EQ(counter.value(1).n, 1);
    EXPECT_EQ(counter.value(1).layer, 3);
    EXPECT_EQ(counter.value(1).joint(0, 1), 1);
}

TEST(Coactivation, NothingCountedIsUndefined) {
    const CoactivationValue value = CoactivationCounter(relationShape(1, 4, 2)).value(0);
    EXPECT_EQ(value.joint(0, 1), 0);
    EXPECT_TRUE(std::isnan(value.conditional(0, 1)));
    EXPECT_TRUE(std::isnan(value.chanceConditional()));
    EXPECT_TRUE(std::isnan(value.lift(0, 1)));
    EXPECT_TRUE(std::isnan(value.expectedLift()));
    EXPECT_TRUE(std::isnan(value.phi(0, 1)));
    EXPECT_EQ(value.expectedCount(0, 1), 0);
    EXPECT_TRUE(value.masked(0, 1));
}

TEST(Coactivation, EmptySlotsAreNoChoices) {
    CoactivationCounter counter(relationShape(2, 6, 3));
    counter.add(routedToken({0, kEmpty, 2, kEmpty, kEmpty, kEmpty}, 3), false);
    counter.add(routedToken({0, 1, 2, 3, kEmpty, kEmpty}, 3), false);
    const CoactivationValue first = counter.value(0);
    EXPECT_EQ(first.n, 2);
    EXPECT_EQ(first.choices, 5);
    EXPECT_EQ(first.pairs, 4);
    EXPECT_EQ(first.joint(0, 2), 2);
    // A router that makes as many choices: E[m (m - 1)] / (E (E - 1)) over (E[m] / E)^2.
    EXPECT_DOUBLE_EQ(first.expectedLift(), (8.0 / 2 / 30) / (2.5 / 6 * 2.5 / 6));
    EXPECT_EQ(counter.value(1).n, 1);
    EXPECT_EQ(counter.value(1).pairs, 0);
}

TEST(Coactivation, RefusesRoutingThatDoesNotFit) {
    CoactivationCounter counter(relationShape(2, 4, 2));
    EXPECT_NE(errorOf(counter, routedToken({0, 1, 2, 4}, 2)).find("expert 4"), std::string::npos);
    EXPECT_NE(errorOf(counter, routedToken({0, 1, 2, 2}, 2)).find("twice"), std::string::npos);
    EXPECT_NE(errorOf(counter, routedToken({0, 1}, 2)).find("1 rows"), std::string::npos);
    EXPECT_NE(errorOf(counter, routedToken({0, 1}, 2), true).find("MTP"), std::string::npos);
    RoutedToken weights = routedToken({0, 1, 2, 3}, 2);
    weights.routing.weights.pop_back();
    EXPECT_FALSE(errorOf(counter, weights).empty());
    // Rejected drafts are not counted, but bad ones are not passed over in silence either.
    EXPECT_FALSE(errorOf(counter, routedToken({0, 9, 1, 2}, 2, Phase::Rejected)).empty());
    EXPECT_EQ(counter.value(0).n, 0);
    EXPECT_EQ(counter.value(0).singles, (std::vector<std::uint32_t>(4, 0)));
}

TEST(Coactivation, RefusesShapesItCannotHold) {
    EXPECT_THROW(CoactivationCounter(relationShape(1, 0, 1)), Error);
    EXPECT_THROW(CoactivationCounter(relationShape(1, 5000, 8)), Error);
    EXPECT_THROW(CoactivationCounter(relationShape(1, 4, 5)), Error);
    EXPECT_EQ(CoactivationCounter(RoutingShape{}).rows(), 0);
}

TEST(Coactivation, ACopyGoesItsOwnWay) {
    CoactivationCounter counter(relationShape(1, 4, 2));
    counter.add(routedToken({0, 1}, 2), false);
    const CoactivationCounter copy = counter;
    counter.add(routedToken({0, 1}, 2), false);
    EXPECT_EQ(copy.value(0).joint(0, 1), 1);
    EXPECT_EQ(counter.value(0).joint(0, 1), 2);
}

}  // namespace
}  // namespace gatescope
