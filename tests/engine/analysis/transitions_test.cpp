// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/transitions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/error.h"
#include "relation_traffic.h"

namespace gatescope {
namespace {

constexpr std::uint16_t kEmpty = 0xFFFF;

/// The k best by sorting: highest score, then lowest id.
template <typename Score>
std::vector<std::size_t> bestOf(const std::vector<Score>& scores, std::size_t count) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    order.resize(count);
    return order;
}

/// A second, slow implementation for one pair of layers.
struct Naive {
    std::size_t experts;
    std::size_t topK;
    std::vector<std::vector<int>> counts;
    std::vector<int> popular;
    int tokens = 0;
    int recalled = 0;
    int popularRecalled = 0;

    Naive(int e, int k)
        : experts(static_cast<std::size_t>(e)),
          topK(static_cast<std::size_t>(k)),
          counts(experts, std::vector<int>(experts, 0)),
          popular(experts, 0) {}

    void add(const std::uint16_t* from, const std::uint16_t* to) {
        if (++tokens % 8 == 0) {
            std::vector<int> scores(experts, 0);
            for (std::size_t s = 0; s < topK; ++s) {
                for (std::size_t j = 0; j < experts; ++j) {
                    scores[j] += counts[from[s]][j];
                }
            }
            for (std::size_t s = 0; s < topK; ++s) {
                const auto named = bestOf(scores, topK);
                const auto named2 = bestOf(popular, topK);
                recalled += std::count(named.begin(), named.end(), to[s]) > 0 ? 1 : 0;
                popularRecalled += std::count(named2.begin(), named2.end(), to[s]) > 0 ? 1 : 0;
            }
        }
        for (std::size_t a = 0; a < topK; ++a) {
            for (std::size_t b = 0; b < topK; ++b) {
                ++counts[from[a]][to[b]];
            }
            ++popular[to[a]];
        }
    }
};

TEST(Transitions, CountsByHand) {
    TransitionCounter counter(relationShape(2, 4, 2));
    counter.add(routedToken({0, 1, 2, 3}, 2), false);
    counter.add(routedToken({0, 2, 3, 0}, 2, Phase::Prefill), false);
    ASSERT_EQ(counter.rows(), 1);
    const TransitionValue value = counter.value(0);
    EXPECT_EQ(value.layer, 1);
    EXPECT_EQ(value.nextLayer, 3);
    EXPECT_EQ(value.n, 2);
    EXPECT_EQ(value.pairs, 8);
    EXPECT_EQ(value.counts,
              (std::vector<std::uint32_t>{1, 0, 1, 2, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0}));
    EXPECT_EQ(value.singles, (std::vector<std::uint32_t>{2, 1, 1, 0}));
    EXPECT_EQ(value.nextSingles, (std::vector<std::uint32_t>{1, 0, 1, 2}));
    EXPECT_DOUBLE_EQ(value.probability(0, 3), 1);
    EXPECT_DOUBLE_EQ(value.probability(0, 2), 0.5);
    EXPECT_TRUE(std::isnan(value.probability(3, 0)));
    EXPECT_DOUBLE_EQ(value.chanceProbability(2), 0.5);
    EXPECT_DOUBLE_EQ(value.chanceRecall(), 0.5);
    const auto next = value.topNext(0, 2);
    ASSERT_EQ(next.size(), 2U);
    EXPECT_EQ(next[0].expert, 3);
    EXPECT_EQ(next[0].count, 2);
    EXPECT_EQ(next[1].expert, 0);  // as often as 2: the lower id first
    EXPECT_TRUE(value.topNext(3, 5).empty());
}

TEST(Transitions, MutualInformationByHand) {
    // One choice a layer, the next layer repeats it: I = ln 2 for two experts used alike.
    TransitionCounter counter(relationShape(2, 4, 1));
    for (int t = 0; t < 100; ++t) {
        const auto expert = static_cast<std::uint16_t>(t % 2);
        counter.add(routedToken({expert, expert}, 1), false);
    }
    const TransitionValue value = counter.value(0);
    EXPECT_NEAR(value.mutualInformation(), std::log(2.0), 1e-12);
    // k = 1: the Miller-Madow term (e - 1)(e' - 1) / (2 n) over the two experts seen.
    EXPECT_NEAR(value.mutualInformationBias(), 1.0 / 200, 1e-12);
    EXPECT_NEAR(value.correctedMutualInformation(), std::log(2.0) - 0.005, 1e-12);
}

TEST(Transitions, EqualsANaiveImplementation) {
    const int experts = 13;
    const int topK = 3;
    TransitionCounter counter(relationShape(3, experts, topK));
    std::vector<Naive> naive(2, Naive(experts, topK));
    std::mt19937 random(11);
    for (int t = 0; t < 400; ++t) {
        const auto choices = unevenChoices(random, 3, experts, topK);
        counter.add(routedToken(choices, topK), false);
        naive[0].add(choices.data(), choices.data() + topK);
        naive[1].add(choices.data() + topK, choices.data() + 2 * topK);
    }
    for (int row = 0; row < 2; ++row) {
        const TransitionValue value = counter.value(row);
        const Naive& other = naive[static_cast<std::size_t>(row)];
        for (int i = 0; i < experts; ++i) {
            double sum = 0;
            for (int j = 0; j < experts; ++j) {
                ASSERT_EQ(value.count(i, j),
                          other.counts[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]);
                sum += value.probability(i, j);
            }
            EXPECT_NEAR(sum, topK, 1e-9);
        }
        EXPECT_EQ(value.pairs, 400 * topK * topK);
        EXPECT_EQ(value.predicted, 50);
        EXPECT_EQ(value.predictedChoices, 50 * topK);
        EXPECT_EQ(value.recalled, other.recalled);
        EXPECT_EQ(value.popularRecalled, other.popularRecalled);
        EXPECT_DOUBLE_EQ(value.recall(), other.recalled / (50.0 * topK));
    }
}

TEST(Transitions, IndependentLayersHaveTheInformationOfTheBiasTerm) {
    const int experts = 24;
    const int topK = 6;
    double plugIn = 0;
    double bias = 0;
    std::mt19937 random(2);
    for (int repeat = 0; repeat < 20; ++repeat) {
        TransitionCounter counter(relationShape(2, experts, topK));
        for (int t = 0; t < 500; ++t) {
            counter.add(routedToken(uniformChoices(random, 2, experts, topK), topK), false);
        }
        plugIn += counter.value(0).mutualInformation() / 20;
        bias += counter.value(0).mutualInformationBias() / 20;
    }
    EXPECT_NEAR(bias, 18.0 * 18 / (2 * 500 * 36), 1e-12);
    EXPECT_NEAR(plugIn / bias, 1, 0.05);
    // Independent pairs would have (E - 1)^2 / (2 N): too much to be taken off here.
    EXPECT_GT(23.0 * 23 / (2 * 500 * 36) / plugIn, 1.5);
}

TEST(Transitions, TheBiasTermHoldsForUnevenLoad) {
    double plugIn = 0;
    double bias = 0;
    std::mt19937 random(8);
    for (int repeat = 0; repeat < 20; ++repeat) {
        TransitionCounter counter(relationShape(2, 16, 4));
        for (int t = 0; t < 600; ++t) {
            counter.add(routedToken(unevenChoices(random, 2, 16, 4), 4), false);
        }
        plugIn += counter.value(0).mutualInformation() / 20;
        bias += counter.value(0).mutualInformationBias() / 20;
    }
    EXPECT_NEAR(plugIn / bias, 1, 0.06);
}

TEST(Transitions, PredictsAPlantedRule) {
    TransitionCounter counter(relationShape(2, 32, 2));
    std::mt19937 random(4);
    for (int t = 0; t < 4000; ++t) {
        auto choices = uniformChoices(random, 2, 32, 2);
        choices[2] = static_cast<std::uint16_t>((choices[0] + 5) % 32);
        choices[3] = static_cast<std::uint16_t>((choices[1] + 5) % 32);
        counter.add(routedToken(choices, 2), false);
    }
    const TransitionValue value = counter.value(0);
    EXPECT_EQ(value.predicted, 500);
    EXPECT_GT(value.recall(), 0.95);
    EXPECT_LT(value.popularRecall(), 0.12);
    EXPECT_GT(value.correctedMutualInformation(), 1);
    EXPECT_EQ(value.topNext(7, 1).at(0).expert, 12);
    EXPECT_DOUBLE_EQ(value.topNext(7, 1).at(0).probability, 1);
}

TEST(Transitions, UnevenLoadAloneIsNotRecallFromTheLayerBefore) {
    TransitionCounter counter(relationShape(2, 32, 4));
    std::mt19937 random(6);
    for (int t = 0; t < 8000; ++t) {
        counter.add(routedToken(unevenChoices(random, 2, 32, 4), 4), false);
    }
    const TransitionValue value = counter.value(0);
    EXPECT_GT(value.popularRecall(), 1.5 * value.chanceRecall());
    EXPECT_NEAR(value.recall(), value.popularRecall(), 0.02);
}

TEST(Transitions, CountsOnlyOrdinaryWork) {
    TransitionCounter counter(relationShape(2, 4, 2, true));
    counter.add(routedToken({0, 1, 2, 3}, 2, Phase::Rejected), false);
    counter.add(routedToken({0, 1, 2, 3}, 2, Phase::Prefill, true), false);
    counter.add(routedToken({0, 1}, 2, Phase::Draft), true);
    counter.add(RoutedToken{}, false);
    const TransitionValue value = counter.value(0);
    EXPECT_EQ(value.n, 0);
    EXPECT_EQ(value.count(0, 1), 0);
    EXPECT_TRUE(std::isnan(value.mutualInformation()));
    EXPECT_TRUE(std::isnan(value.mutualInformationBias()));
    EXPECT_TRUE(std::isnan(value.recall()));
    EXPECT_TRUE(std::isnan(value.chanceProbability(0)));
}

TEST(Transitions, EmptySlotsAreNoChoices) {
    TransitionCounter counter(relationShape(3, 4, 2));
    counter.add(routedToken({0, kEmpty, 2, 3, kEmpty, kEmpty}, 2), false);
    EXPECT_EQ(counter.value(0).n, 1);
    EXPECT_EQ(counter.value(0).pairs, 2);
    EXPECT_EQ(counter.value(0).count(0, 3), 1);
    EXPECT_EQ(counter.value(1).n, 0);
}

TEST(Transitions, KeepsTheNewestChoicesInOrder) {
    TransitionCounter counter(relationShape(3, 256, 2));
    for (int t = 0; t < kRecentTokens + 5; ++t) {
        const auto low = static_cast<std::uint16_t>(t % 256);
        const auto high = static_cast<std::uint16_t>(t / 256);
        const auto next = static_cast<std::uint16_t>((t + 1) % 256);
        const auto other = static_cast<std::uint16_t>((low + 128) % 256);
        counter.add(
            routedToken({low, other, next, kEmpty, static_cast<std::uint16_t>(100 + high), kEmpty},
                        2),
            false);
    }
    counter.add(routedToken({1, 2, 3, 4, 5, 6}, 2, Phase::Rejected), false);
    counter.add(routedToken({kEmpty, kEmpty, 3, 4, 5, 6}, 2), false);  // pushes the oldest out
    const PairedChoices first = counter.recent(0);
    const PairedChoices second = counter.recent(1);
    EXPECT_EQ(first.experts, 256);
    EXPECT_EQ(first.topK, 2);
    EXPECT_EQ(first.n(), kRecentTokens - 1);
    EXPECT_EQ(second.n(), kRecentTokens);
    for (int i = 0; i < kRecentTokens - 1; ++i) {
        const int t = i + 6;
        const auto at = static_cast<std::size_t>(2 * i);
        ASSERT_EQ(first.from[at], t % 256);
        ASSERT_EQ(first.to[at], (t + 1) % 256);
        ASSERT_EQ(first.to[at + 1], kEmpty);
        ASSERT_EQ(second.from[at], (t + 1) % 256);
        ASSERT_EQ(second.to[at], 100 + t / 256);
    }
}

TEST(Transitions, KeepsFewerTokensOfALargeTopK) {
    TransitionCounter counter(relationShape(2, 64, 16));
    std::mt19937 random(12);
    for (int t = 0; t < 1100; ++t) {
        counter.add(routedToken(uniformChoices(random, 2, 64, 16), 16), false);
    }
    EXPECT_EQ(counter.recent(0).n(), kRecentPairs / 256);
    EXPECT_EQ(counter.value(0).n, 1100);
}

TEST(Transitions, TheBaselineShownIsMadeAnewWhenAnEighthIsNew) {
    TransitionCounter counter(relationShape(3, 16, 2));
    std::mt19937 random(13);
    const auto add = [&](int tokens) {
        for (int t = 0; t < tokens; ++t) {
            counter.add(routedToken(unevenChoices(random, 3, 16, 2), 2), false);
        }
    };
    EXPECT_EQ(counter.recentBaseline(0).n, 0);
    add(160);
    const ShiftBaseline first = counter.recentBaseline(0);
    EXPECT_EQ(first.n, 160);
    EXPECT_EQ(first.mean, shiftBaseline(counter.recent(0)).mean);
    add(19);
    EXPECT_EQ(counter.recentBaseline(0).n, 160);
    EXPECT_EQ(counter.recentBaseline(0).observed, first.observed);
    EXPECT_EQ(counter.recentBaseline(1).n, 179);  // another pair
    EXPECT_EQ(counter.recentBaseline(0).n, 179);
    add(23);
    EXPECT_EQ(counter.recentBaseline(0).n, 202);
    EXPECT_EQ(counter.recentBaseline(0).observed, shiftBaseline(counter.recent(0)).observed);
}

TEST(Transitions, RefusesWhatDoesNotFit) {
    TransitionCounter counter(relationShape(2, 4, 2));
    EXPECT_THROW(counter.add(routedToken({0, 1, 2, 4}, 2), false), Error);
    EXPECT_THROW(counter.add(routedToken({0, 1, 2, 2}, 2), false), Error);
    EXPECT_THROW(counter.add(routedToken({0, 1}, 2), false), Error);
    EXPECT_EQ(counter.value(0).n, 0);
    EXPECT_THROW(TransitionCounter(relationShape(2, 0, 1)), Error);
    EXPECT_THROW(TransitionCounter(relationShape(2, 5000, 8)), Error);
    EXPECT_EQ(TransitionCounter(relationShape(1, 4, 2)).rows(), 0);
    EXPECT_EQ(TransitionCounter(RoutingShape{}).rows(), 0);
}

}  // namespace
}  // namespace gatescope
