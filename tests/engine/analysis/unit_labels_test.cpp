// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/unit_labels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

namespace gatescope {
namespace {

using Labels = std::vector<std::uint8_t>;

TEST(UnitLabels, AllAssignmentsOnceWhereTheyAreFew) {
    // 4 choose 2 times 3 choose 1; unit 7 takes no part.
    const UnitLabels labels(8, {{{0, 1, 4, 5}, 2}, {{2, 3, 6}, 1}}, 1, 100);
    EXPECT_TRUE(labels.exact());
    EXPECT_EQ(labels.assignments(), 18);
    ASSERT_EQ(labels.count(), 18);
    EXPECT_DOUBLE_EQ(labels.smallestP(), 2.0 / 18);  // the first group has halves
    EXPECT_EQ(labels.unitsFirst(), 3);
    EXPECT_EQ(labels.unitsSecond(), 4);
    std::set<Labels> seen;
    Labels drawn(8);
    for (std::int64_t i = 0; i < labels.count(); ++i) {
        labels.draw(i, drawn);
        EXPECT_EQ(drawn[0] + drawn[1] + drawn[4] + drawn[5], 2);
        EXPECT_EQ(drawn[2] + drawn[3] + drawn[6], 1);
        EXPECT_EQ(drawn[7], 0);
        seen.insert(drawn);
    }
    EXPECT_EQ(seen.size(), 18u);
    Labels observed(8);
    labels.observed(observed);
    EXPECT_EQ(observed, (Labels{1, 1, 1, 0, 0, 0, 0, 0}));
    EXPECT_TRUE(seen.contains(observed));
}

TEST(UnitLabels, ExchangingHalvesChangesNothing) {
    const UnitLabels labels(6, {{{0, 1, 2, 3, 4, 5}, 3}}, 1, 100);
    EXPECT_DOUBLE_EQ(labels.smallestP(), 2.0 / 20);
    EXPECT_DOUBLE_EQ(UnitLabels(5, {{{0, 1}, 1}, {{2, 3, 4}, 1}}, 1, 100).smallestP(), 2.0 / 6);
    EXPECT_TRUE(std::isnan(UnitLabels(2, {{{0, 1}, 1}}, 1, 100).smallestP()));
    EXPECT_TRUE(std::isnan(UnitLabels(3, {{{0, 1, 2}, 3}}, 1, 100).smallestP()));
    EXPECT_TRUE(std::isnan(UnitLabels(0, {}, 1, 100).smallestP()));
}

TEST(UnitLabels, RandomOnesAreAllAlikeAndGivenByTheSeed) {
    std::vector<std::uint32_t> units(6);
    for (std::uint32_t i = 0; i < 6; ++i) units[i] = i;
    const UnitLabels labels(6, {{units, 2}}, 7, 14);  // fewer than 15: not exact
    EXPECT_FALSE(labels.exact());
    EXPECT_EQ(labels.count(), 14);
    EXPECT_DOUBLE_EQ(labels.smallestP(), 1.0 / 15);

    std::vector<std::uint32_t> more(40);
    for (std::uint32_t i = 0; i < 40; ++i) more[i] = i;
    constexpr std::int64_t kDraws = 20000;
    const UnitLabels many(40, {{more, 10}}, 7, kDraws);
    std::vector<double> times(40, 0);
    Labels drawn(40);
    for (std::int64_t i = 0; i < kDraws; ++i) {
        many.draw(i, drawn);
        for (std::size_t unit = 0; unit < 40; ++unit) times[unit] += drawn[unit];
    }
    for (const double count : times) EXPECT_NEAR(count / kDraws, 0.25, 0.016);

    Labels again(40);
    Labels other(40);
    many.draw(5, drawn);
    UnitLabels(40, {{more, 10}}, 7, kDraws).draw(5, again);
    UnitLabels(40, {{more, 10}}, 8, kDraws).draw(5, other);
    EXPECT_EQ(drawn, again);
    EXPECT_NE(drawn, other);
}

}  // namespace
}  // namespace gatescope
