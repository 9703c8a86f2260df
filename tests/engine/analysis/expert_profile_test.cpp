// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/expert_profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/analysis/coactivation.h"
#include "engine/analysis/layer_profile.h"
#include "engine/error.h"
#include "relation_traffic.h"

namespace gatescope {
namespace {

std::vector<const RoutedToken*> pointers(const std::vector<RoutedToken>& tokens) {
    std::vector<const RoutedToken*> out;
    for (const RoutedToken& token : tokens) {
        out.push_back(&token);
    }
    return out;
}

RoutedToken withId(std::int32_t id, std::vector<std::uint16_t> experts, int topK) {
    RoutedToken token = routedToken(std::move(experts), topK);
    token.tokenId = id;
    return token;
}

/// Three layers (1, 3, 5) of 4 experts, 2 chosen. In layer 3 expert 1 is chosen by the first three
/// of four tokens.
std::vector<RoutedToken> handTokens() {
    return {withId(7, {0, 1, 1, 2, 3, 0}, 2), withId(7, {0, 2, 0, 1, 3, 1}, 2),
            withId(9, {0, 3, 1, 2, 2, 3}, 2), withId(9, {1, 2, 0, 3, 0, 1}, 2)};
}

double binomialMass(std::int64_t n, std::int64_t x, double p) {
    const auto total = static_cast<double>(n);
    const auto at = static_cast<double>(x);
    return std::exp(std::lgamma(total + 1) - std::lgamma(at + 1) - std::lgamma(total - at + 1) +
                    at * std::log(p) + (total - at) * std::log1p(-p));
}

TEST(ExpertProfile, ByHand) {
    std::vector<RoutedToken> tokens = handTokens();
    tokens[0].routing.weights = {.5F, .5F, .75F, .25F, .5F, .5F};
    tokens[1].routing.biasDecided[1] = 0b10;  // its second choice there: expert 1
    tokens[2].routing.biasDecided[1] = 0b10;  // expert 2, not ours
    const auto all = pointers(tokens);
    const ExpertProfile profile = expertProfile(relationShape(3, 4, 2), all, 1, 1);

    EXPECT_EQ(profile.layer, 3);
    EXPECT_EQ(profile.n, 4);
    EXPECT_EQ(profile.choices, 8);
    EXPECT_EQ(profile.chosen, 3);
    EXPECT_DOUBLE_EQ(profile.chance, 0.5);
    EXPECT_DOUBLE_EQ(profile.relativeLoad, 1.5);
    EXPECT_NEAR(profile.pUpper, 5.0 / 16, 1e-12);
    EXPECT_NEAR(profile.pLower, 15.0 / 16, 1e-12);
    EXPECT_DOUBLE_EQ(profile.meanWeight, (0.75 + 0.5 + 0.5) / 3);
    EXPECT_DOUBLE_EQ(profile.biasDecidedShare, 1.0 / 3);
    EXPECT_TRUE(std::isnan(profile.meanAffinity));
    EXPECT_EQ(profile.scored, 0);

    EXPECT_EQ(profile.distinctTokens, 2);
    ASSERT_EQ(profile.topTokens.size(), 2U);
    EXPECT_EQ(profile.topTokens[0].id, 7);
    EXPECT_EQ(profile.topTokens[0].seen, 2);
    EXPECT_EQ(profile.topTokens[0].routed, 2);
    EXPECT_DOUBLE_EQ(profile.topTokens[0].shrunk, (2 + 10 * 0.5) / 12);
    EXPECT_TRUE(profile.topTokens[0].fewSeen);
    EXPECT_DOUBLE_EQ(profile.topTokens[1].share, 0.5);

    // Joint with 2: twice; with 0: once; never with 3, which nothing is said about.
    ASSERT_EQ(profile.coactive.size(), 2U);
    EXPECT_EQ(profile.coactive[0].expert, 2);
    EXPECT_EQ(profile.coactive[0].count, 2);
    EXPECT_DOUBLE_EQ(profile.coactive[0].lift, 2 * 4 / (3.0 * 2.0));
    EXPECT_TRUE(profile.coactive[0].masked);

    EXPECT_EQ(profile.layerBefore, 1);
    EXPECT_EQ(profile.layerAfter, 5);
    ASSERT_EQ(profile.before.size(), 4U);
    EXPECT_EQ(profile.before[0].expert, 0);
    EXPECT_EQ(profile.before[0].count, 3);
    EXPECT_DOUBLE_EQ(profile.before[0].share, 1);
    EXPECT_DOUBLE_EQ(profile.before[0].base, 0.75);
    EXPECT_DOUBLE_EQ(profile.before[0].ratio, 4.0 / 3);
    EXPECT_EQ(profile.after[0].expert, 3);
    EXPECT_EQ(profile.after[0].count, 3);
}

TEST(ExpertProfile, WindowsWithTheirRange) {
    const RoutingShape shape = relationShape(1, 4, 2);
    std::vector<RoutedToken> tokens;
    for (int i = 0; i < 25; ++i) {
        tokens.push_back(withId(i, {static_cast<std::uint16_t>(i < 10 ? 0 : 1), 2}, 2));
    }
    ProfileOptions options;
    options.window = 10;
    const auto all = pointers(tokens);
    const ExpertProfile profile = expertProfile(shape, all, 0, 0, options);
    ASSERT_EQ(profile.windows.size(), 3U);
    EXPECT_EQ(profile.windows[0].chosen, 10);
    EXPECT_DOUBLE_EQ(profile.windows[0].relativeLoad, 2);
    // Bin(10, 1/2): P(X <= 1) = 0.0107, P(X <= 2) = 0.0547, so 2 to 8 of a fair 5.
    EXPECT_DOUBLE_EQ(profile.windows[0].low, 0.4);
    EXPECT_DOUBLE_EQ(profile.windows[0].high, 1.6);
    EXPECT_EQ(profile.windows[1].chosen, 0);
    EXPECT_EQ(profile.windows[2].firstToken, 20);
    EXPECT_EQ(profile.windows[2].tokens, 5);
    // Bin(5, 1/2): P(X = 0) = 0.031 is already inside the range.
    EXPECT_DOUBLE_EQ(profile.windows[2].low, 0);
    EXPECT_DOUBLE_EQ(profile.windows[2].high, 2);
}

TEST(ExpertProfile, RangeAgainstSummedMasses) {
    const RoutingShape shape = relationShape(1, 256, 8);
    std::mt19937 random(5);
    std::vector<RoutedToken> tokens;
    for (int i = 0; i < 300; ++i) {
        tokens.push_back(routedToken(uniformChoices(random, 1, 256, 8), 8));
    }
    ProfileOptions options;
    options.window = 150;
    const auto all = pointers(tokens);
    const LoadWindow window = expertProfile(shape, all, 0, 3, options).windows.at(0);
    const double p = 8.0 / 256;
    const auto below = [&](double relative, bool including) {
        const auto count = std::llround(relative * 150 * p);
        double sum = 0;
        for (std::int64_t x = 0; including ? x <= count : x < count; ++x) {
            sum += binomialMass(150, x, p);
        }
        return sum;
    };
    EXPECT_LE(below(window.low, false), 0.025);
    EXPECT_GT(below(window.low, true), 0.025);
    EXPECT_GE(below(window.high, true), 0.975);
    EXPECT_LT(below(window.high, false), 0.975);
}

TEST(ExpertProfile, WindowGrowsSoThatFewAreNeeded) {
    const RoutingShape shape = relationShape(1, 4, 2);
    const std::vector<RoutedToken> one{withId(1, {0, 1}, 2)};
    for (const int n : {1, 1024, 1025, 5000}) {
        const std::vector<const RoutedToken*> tokens(static_cast<std::size_t>(n), one.data());
        const ExpertProfile profile = expertProfile(shape, tokens, 0, 0);
        EXPECT_EQ(profile.windowTokens, n <= 1024 ? 16 : n == 1025 ? 32 : 128);
        EXPECT_LE(profile.windows.size(), static_cast<std::size_t>(kMostWindows));
        std::int64_t sum = 0;
        for (const LoadWindow& window : profile.windows) {
            sum += window.tokens;
        }
        EXPECT_EQ(sum, n);
    }
}

TEST(ExpertProfile, ScoresWhereKnown) {
    std::vector<RoutedToken> tokens = handTokens();
    auto scores = std::make_shared<std::vector<float>>(12, 0.125F);
    (*scores)[4 + 1] = 0.75F;
    tokens[0].routing.scores = scores;                                           // chose expert 1
    tokens[3].routing.scores = std::make_shared<std::vector<float>>(12, 0.25F);  // did not
    const auto all = pointers(tokens);
    const ExpertProfile profile = expertProfile(relationShape(3, 4, 2), all, 1, 1);
    EXPECT_EQ(profile.scored, 2);
    EXPECT_DOUBLE_EQ(profile.meanAffinity, 0.5);
    EXPECT_EQ(profile.scoredChosen, 1);
    EXPECT_DOUBLE_EQ(profile.meanAffinityWhenChosen, 0.75);
}

TEST(ExpertProfile, OnlyOrdinaryTokensOfTheRow) {
    const RoutingShape shape = relationShape(2, 4, 2, true);
    std::vector<RoutedToken> tokens{
        routedToken({0, 1, 0, 1}, 2, Phase::Prefill),
        routedToken({0, 1, 0, 1}, 2, Phase::Prefill, true),
        routedToken({0, 1, 0, 1}, 2, Phase::Rejected),
        RoutedToken{},
    };
    const ExpertProfile main = expertProfile(shape, pointers(tokens), 0, 0);
    EXPECT_EQ(main.n, 1);
    EXPECT_EQ(main.leftOut, 2);
    EXPECT_EQ(main.layerBefore, -1);
    EXPECT_EQ(main.layerAfter, 3);

    const std::vector<RoutedToken> drafts{routedToken({0, 3}, 2, Phase::Draft)};
    const ExpertProfile mtp = expertProfile(shape, pointers(drafts), 2, 3);
    EXPECT_EQ(mtp.layer, shape.mtpLayer);
    EXPECT_EQ(mtp.chosen, 1);
    EXPECT_EQ(mtp.layerBefore, -1);
    EXPECT_TRUE(mtp.before.empty() && mtp.after.empty());
}

TEST(ExpertProfile, AgreesWithTheCountersAndANaiveCount) {
    const RoutingShape shape = relationShape(3, 16, 4);
    std::mt19937 random(11);
    CoactivationCounter pairs(shape);
    std::vector<RoutedToken> tokens;
    for (int i = 0; i < 700; ++i) {
        tokens.push_back(withId(i % 13, unevenChoices(random, 3, 16, 4), 4));
        if (i % 9 == 0) {
            tokens.back().routing.experts[6] = 0xFFFF;  // an empty slot in the middle row
        }
        pairs.add(tokens.back(), false);
    }
    const CoactivationValue value = pairs.value(1);
    ProfileOptions options;
    options.listed = 1000;
    for (int expert = 0; expert < 16; ++expert) {
        const ExpertProfile profile = expertProfile(shape, pointers(tokens), 1, expert, options);
        EXPECT_EQ(profile.chosen, value.joint(expert, expert));
        for (const CoactiveExpert& other : profile.coactive) {
            EXPECT_EQ(other.count, value.joint(expert, other.expert));
            EXPECT_NEAR(other.expectedCount, value.expectedCount(expert, other.expert), 1e-9);
            EXPECT_NEAR(other.lift, value.lift(expert, other.expert), 1e-12);
            EXPECT_NEAR(other.phi, value.phi(expert, other.expert), 1e-12);
            EXPECT_EQ(other.masked, value.masked(expert, other.expert));
        }
        std::map<std::int32_t, std::pair<int, int>> naive;
        std::map<int, int> after;
        for (const RoutedToken& token : tokens) {
            const std::vector<std::uint16_t>& e = token.routing.experts;
            const bool here = std::count(e.begin() + 4, e.begin() + 8, expert) > 0;
            ++naive[token.tokenId].first;
            naive[token.tokenId].second += here ? 1 : 0;
            for (int j = 8; here && j < 12; ++j) {
                ++after[e[static_cast<std::size_t>(j)]];
            }
        }
        for (const ProfileToken& token : profile.topTokens) {
            EXPECT_EQ(token.seen, naive[token.id].first);
            EXPECT_EQ(token.routed, naive[token.id].second);
        }
        EXPECT_EQ(profile.after.size(), after.size());
        double share = 0;
        for (const NeighbourExpert& next : profile.after) {
            EXPECT_EQ(next.count, after[next.expert]);
            share += next.share;
        }
        EXPECT_NEAR(share, 4, 1e-12);  // every token chooses four there
        EXPECT_TRUE(
            std::is_sorted(profile.topTokens.begin(), profile.topTokens.end(),
                           [](const auto& a, const auto& b) { return a.shrunk > b.shrunk; }));
    }
}

TEST(ExpertProfile, NothingKnownIsNotZero) {
    const RoutingShape shape = relationShape(3, 4, 2);
    const ExpertProfile none = expertProfile(shape, {}, 0, 0);
    EXPECT_EQ(none.n, 0);
    EXPECT_TRUE(std::isnan(none.relativeLoad));
    EXPECT_TRUE(std::isnan(none.chance));
    EXPECT_TRUE(none.windows.empty());
    const std::vector<RoutedToken> tokens = handTokens();
    const ExpertProfile never = expertProfile(shape, pointers({tokens[3]}), 1, 1);
    EXPECT_DOUBLE_EQ(never.relativeLoad, 0);
    EXPECT_TRUE(std::isnan(never.meanWeight));
    EXPECT_TRUE(std::isnan(never.biasDecidedShare));
}

TEST(ExpertProfile, RefusesWhatDoesNotFit) {
    const RoutingShape shape = relationShape(3, 4, 2);
    const std::vector<RoutedToken> tokens = handTokens();
    const auto all = pointers(tokens);
    EXPECT_THROW(expertProfile(shape, all, 3, 0), Error);
    EXPECT_THROW(expertProfile(shape, all, -1, 0), Error);
    EXPECT_THROW(expertProfile(shape, all, 0, 4), Error);
    EXPECT_THROW(expertProfile(relationShape(2, 4, 2), all, 0, 0), Error);
    RoutedToken bad = tokens[0];
    bad.routing.scores = std::make_shared<std::vector<float>>(11, 0.5F);
    EXPECT_THROW(expertProfile(shape, pointers({bad}), 0, 0), Error);
}

TEST(LayerProfile, PutsOneLayerTogether) {
    const RoutingShape shape = relationShape(2, 8, 2);
    std::mt19937 random(3);
    CoactivationCounter pairs(shape);
    TransitionCounter transitions(shape);
    ExpertReads reads(shape);
    for (int i = 0; i < 400; ++i) {
        StepTrace step;
        step.tokens.push_back(routedToken(uniformChoices(random, 2, 8, 2), 2));
        pairs.add(step.tokens[0], false);
        transitions.add(step.tokens[0], false);
        reads.add(step);
    }
    const TransitionValue next = transitions.value(0);
    const LayerProfile first = layerProfile(pairs.value(0), &next, reads.value(0), 5);
    EXPECT_EQ(first.layer, 1);
    EXPECT_EQ(first.n, 400);
    EXPECT_EQ(first.topPairs.size(), 5U);
    EXPECT_EQ(first.next.nextLayer, 3);
    EXPECT_DOUBLE_EQ(first.next.chanceRecall, 0.25);
    EXPECT_EQ(first.reads.n, 800);
    const LayerProfile last = layerProfile(pairs.value(1), nullptr, reads.value(1));
    EXPECT_EQ(last.next.nextLayer, -1);
}

}  // namespace
}  // namespace gatescope
