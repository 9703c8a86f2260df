// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/fast_choice.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/analysis/choice.h"
#include "engine/error.h"

namespace gatescope {
namespace {

RoutingShape shapeOf(int experts, int topK, int groups, int keep, bool hasBias = true) {
    RoutingShape shape;
    shape.experts = experts;
    shape.topK = topK;
    shape.groups = groups;
    shape.topkGroups = keep;
    shape.hasBias = hasBias;
    return shape;
}

/// Few distinct values, so that ties are common.
std::vector<float> coarse(std::mt19937& random, int n) {
    std::vector<float> out;
    for (int i = 0; i < n; ++i) {
        out.push_back(static_cast<float>(random() % 64) / 64.0F);
    }
    return out;
}

TEST(FastChoice, SameAsTheRankingOfAllExperts) {
    std::mt19937 random(3);
    for (const auto& shape : {shapeOf(256, 8, 8, 4), shapeOf(64, 6, 1, 1), shapeOf(16, 4, 4, 2),
                              shapeOf(12, 4, 4, 2), shapeOf(15, 3, 5, 2), shapeOf(16, 8, 4, 2),
                              shapeOf(8, 2, 8, 3), shapeOf(16, 4, 4, 2, false)}) {
        FastChoice fast(shape);
        for (int t = 0; t < 200; ++t) {
            const std::vector<float> scores = coarse(random, shape.experts);
            const ChoiceRanking slow = rankChoices(shape, scores, {});
            fast.choose(scores.data());
            const std::vector<int> ids(fast.chosen().begin(), fast.chosen().end());
            ASSERT_EQ(ids, std::vector<int>(slow.order.begin(), slow.order.begin() + shape.topK));
            if (std::isnan(slow.margin)) {
                ASSERT_TRUE(std::isnan(fast.margin()));
            } else {
                ASSERT_EQ(fast.margin(), slow.margin);
            }
            std::vector<float> groups = slow.groupScores;
            std::sort(groups.rbegin(), groups.rend());
            const auto kept = static_cast<std::size_t>(shape.topkGroups);
            if (kept == groups.size()) {
                ASSERT_TRUE(std::isnan(fast.groupMargin()));
            } else {
                ASSERT_EQ(fast.groupMargin(), groups[kept - 1] - groups[kept]);
            }
        }
    }
}

TEST(FastChoice, InGroupsThatAnotherChoiceKept) {
    const RoutingShape shape = shapeOf(8, 2, 4, 2);
    const std::vector<float> first{0, 0, 0, 0, 0.5F, 0.5F, 0.4F, 0.4F};  // groups 2 and 3
    const std::vector<float> second{0.9F, 0.9F, 0.8F, 0.8F, 0.1F, 0.3F, 0.2F, 0};
    FastChoice groups(shape);
    FastChoice choice(shape);
    groups.choose(first.data());
    choice.chooseInGroupsOf(groups, second.data());
    EXPECT_EQ(choice.chosen()[0], 5);
    EXPECT_EQ(choice.chosen()[1], 6);
    EXPECT_TRUE(choice.keepsGroupsOf(groups));
    choice.choose(second.data());
    EXPECT_FALSE(choice.keepsGroupsOf(groups));
    EXPECT_EQ(choice.missing(groups.chosen()), 2);
    EXPECT_EQ(choice.missing(choice.chosen()), 0);
}

TEST(FastChoice, ScoresThatAreNoNumbersStillGiveExperts) {
    const RoutingShape shape = shapeOf(16, 4, 4, 2);
    FastChoice fast(shape);
    const std::vector<float> scores(16, std::nanf(""));
    fast.choose(scores.data());
    for (const std::int32_t expert : fast.chosen()) {
        EXPECT_GE(expert, 0);
        EXPECT_LT(expert, 16);
    }
}

TEST(FastChoice, ShapesThatCannotChooseAreErrors) {
    EXPECT_THROW(FastChoice(shapeOf(0, 1, 1, 1)), Error);
    EXPECT_THROW(FastChoice(shapeOf(8, 0, 4, 2)), Error);
    EXPECT_THROW(FastChoice(shapeOf(8, 5, 4, 2)), Error);
    EXPECT_THROW(FastChoice(shapeOf(8, 2, 3, 2)), Error);
    EXPECT_THROW(FastChoice(shapeOf(8, 2, 0, 0)), Error);
    EXPECT_THROW(FastChoice(shapeOf(8, 2, 4, 5)), Error);
}

}  // namespace
}  // namespace gatescope
