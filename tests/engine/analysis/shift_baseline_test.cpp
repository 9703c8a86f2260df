// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/shift_baseline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/analysis/transitions.h"
#include "relation_traffic.h"

namespace gatescope {
namespace {

/// Mutual information of a list of pairs, from the definition.
double informationOf(const std::vector<std::pair<int, int>>& pairs) {
    std::map<std::pair<int, int>, double> both;
    std::map<int, double> first;
    std::map<int, double> second;
    const double share = 1.0 / static_cast<double>(pairs.size());
    for (const auto& pair : pairs) {
        both[pair] += share;
        first[pair.first] += share;
        second[pair.second] += share;
    }
    double sum = 0;
    for (const auto& [pair, p] : both) {
        sum += p * std::log(p / (first[pair.first] * second[pair.second]));
    }
    return sum;
}

/// With token t beside token next[t].
double informationOf(const PairedChoices& choices, const std::vector<std::size_t>& next) {
    const auto topK = static_cast<std::size_t>(choices.topK);
    std::vector<std::pair<int, int>> pairs;
    for (std::size_t t = 0; t < next.size(); ++t) {
        for (std::size_t a = 0; a < topK; ++a) {
            for (std::size_t b = 0; b < topK; ++b) {
                const std::uint16_t from = choices.from[t * topK + a];
                const std::uint16_t to = choices.to[next[t] * topK + b];
                if (from != kNoExpert && to != kNoExpert) pairs.emplace_back(from, to);
            }
        }
    }
    return informationOf(pairs);
}

std::vector<std::size_t> shiftedOrder(std::size_t tokens, std::size_t shift) {
    std::vector<std::size_t> out(tokens);
    std::iota(out.begin(), out.end(), std::size_t{0});
    std::rotate(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(shift), out.end());
    return out;
}

/// Two layers that do not know of each other, each of which tends to choose what it chose last.
PairedChoices independentLayers(std::mt19937& random, int tokens, int experts, int topK,
                                double stays) {
    std::uniform_real_distribution<double> unit(0, 1);
    PairedChoices out{experts, topK, {}, {}};
    for (auto* layer : {&out.from, &out.to}) {
        std::vector<std::uint16_t> choices;
        for (int t = 0; t < tokens; ++t) {
            if (choices.empty() || unit(random) >= stays) {
                choices = unevenChoices(random, 1, experts, topK);
            }
            layer->insert(layer->end(), choices.begin(), choices.end());
        }
    }
    return out;
}

/// Largest distance between the shares below each p-value and what they are for uniform ones.
double distanceFromUniform(std::vector<double> pValues) {
    std::sort(pValues.begin(), pValues.end());
    double distance = 0;
    for (std::size_t i = 0; i < pValues.size(); ++i) {
        const double share = static_cast<double>(i + 1) / static_cast<double>(pValues.size());
        distance = std::max(distance, std::abs(share - pValues[i]));
    }
    return distance;
}

void expectEqualsNaive(const PairedChoices& choices) {
    const auto n = static_cast<std::size_t>(choices.n());
    std::vector<double> values;
    for (std::size_t shift = 32; shift <= n - 32; ++shift) {
        values.push_back(informationOf(choices, shiftedOrder(n, shift)));
    }
    const double observed = informationOf(choices, shiftedOrder(n, 0));
    const auto count = static_cast<double>(values.size());
    std::sort(values.begin(), values.end());
    const auto reached = values.end() - std::lower_bound(values.begin(), values.end(), observed);
    // More than there are: every shift is taken once.
    const ShiftBaseline got = shiftBaseline(choices, 100000);
    EXPECT_EQ(got.n, static_cast<std::int64_t>(n));
    EXPECT_EQ(got.shifts, static_cast<int>(values.size()));
    EXPECT_NEAR(got.observed, observed, 1e-10);
    EXPECT_NEAR(got.mean, std::accumulate(values.begin(), values.end(), 0.0) / count, 1e-10);
    EXPECT_NEAR(got.p95, values[static_cast<std::size_t>(std::ceil(0.95 * (count + 1))) - 1],
                1e-10);
    EXPECT_NEAR(got.pValue, (1 + static_cast<double>(reached)) / (count + 1), 1e-12);
}

TEST(ShiftBaseline, EqualsANaiveImplementation) {
    std::mt19937 random(3);
    for (const int tokens : {100, 141}) {
        PairedChoices choices = independentLayers(random, tokens, 11, 3, 0.5);
        expectEqualsNaive(choices);
        for (std::size_t i = 0; i < choices.from.size(); i += 3) {
            if (random() % 4 == 0) choices.to[i] = choices.from[i];
        }
        expectEqualsNaive(choices);
    }
}

TEST(ShiftBaseline, EmptySlotsArePassedOver) {
    std::mt19937 random(4);
    PairedChoices choices = independentLayers(random, 120, 9, 3, 0.5);
    for (std::uint16_t& slot : choices.from) {
        if (random() % 5 == 0) slot = kNoExpert;
    }
    for (std::uint16_t& slot : choices.to) {
        if (random() % 3 == 0) slot = kNoExpert;
    }
    expectEqualsNaive(choices);
    std::fill(choices.to.begin(), choices.to.end(), kNoExpert);
    EXPECT_EQ(shiftBaseline(choices).observed, 0);
    EXPECT_EQ(shiftBaseline(choices).pValue, 1);
}

TEST(ShiftBaseline, ByHand) {
    // The layers repeat each other in rounds of 4: a shift by a multiple of 4 changes nothing, one
    // by an odd number neither, since every expert still tells the next one exactly: I = ln 4.
    PairedChoices choices{4, 1, {}, {}};
    for (int t = 0; t < 96; ++t) {
        choices.from.push_back(static_cast<std::uint16_t>(t % 4));
        choices.to.push_back(static_cast<std::uint16_t>(t % 4));
    }
    const ShiftBaseline round = shiftBaseline(choices);
    EXPECT_EQ(round.n, 96);
    EXPECT_EQ(round.shifts, 33);  // 32 to 64
    EXPECT_NEAR(round.observed, std::log(4.0), 1e-12);
    EXPECT_NEAR(round.mean, std::log(4.0), 1e-12);
    EXPECT_NEAR(round.excess(), 0, 1e-12);
    EXPECT_EQ(round.pValue, 1);  // order in time alone explains all of it
    // One expert each: nothing to tell.
    std::fill(choices.to.begin(), choices.to.end(), std::uint16_t{2});
    EXPECT_NEAR(shiftBaseline(choices).observed, 0, 1e-12);
    EXPECT_EQ(shiftBaseline(choices).pValue, 1);
}

TEST(ShiftBaseline, PValuesOfIndependentLayersAreUniform) {
    std::mt19937 random(5);
    for (const double stays : {0.0, 0.8}) {
        std::vector<double> pValues;
        for (int repeat = 0; repeat < 400; ++repeat) {
            const auto choices = independentLayers(random, 220, 8, 2, stays);
            pValues.push_back(
                shiftBaseline(choices, 99, static_cast<std::uint64_t>(repeat)).pValue);
        }
        // Kolmogorov's 1 % point of 400 is 0.081.
        EXPECT_LT(distanceFromUniform(pValues), 0.081) << stays;
        const auto small =
            std::count_if(pValues.begin(), pValues.end(), [](double p) { return p <= 0.05; });
        EXPECT_NEAR(static_cast<double>(small) / 400, 0.05, 0.03) << stays;
    }
}

TEST(ShiftBaseline, ShufflingSingleTokensWouldFindWhatIsNotThere) {
    // Why the order of the tokens is kept: independent layers, each of which chooses much as
    // before.
    std::mt19937 random(6);
    int shifted = 0;
    int shuffled = 0;
    for (int repeat = 0; repeat < 60; ++repeat) {
        const auto choices = independentLayers(random, 220, 8, 2, 0.8);
        shifted += shiftBaseline(choices, 39).pValue <= 0.05 ? 1 : 0;
        std::vector<std::size_t> order = shiftedOrder(220, 0);
        const double observed = informationOf(choices, order);
        int reached = 0;
        for (int b = 0; b < 39; ++b) {
            std::shuffle(order.begin(), order.end(), random);
            reached += informationOf(choices, order) >= observed ? 1 : 0;
        }
        shuffled += (1 + reached) / 40.0 <= 0.05 ? 1 : 0;
    }
    EXPECT_LE(shifted, 9);    // of 60, 3 are expected
    EXPECT_GE(shuffled, 30);  // half of them "significant"
}

TEST(ShiftBaseline, FindsAPlantedDependence) {
    std::mt19937 random(7);
    PairedChoices choices = independentLayers(random, 600, 64, 4, 0.5);
    const ShiftBaseline without = shiftBaseline(choices);
    EXPECT_GT(without.pValue, 0.05);
    EXPECT_NEAR(without.observed, without.mean, 0.2 * without.mean);
    for (std::size_t t = 0; t < 600; t += 2) {  // one choice of every other token
        const auto next = static_cast<std::uint16_t>((choices.from[t * 4] + 5) % 64);
        const auto first = choices.to.begin() + static_cast<std::ptrdiff_t>(t) * 4;
        if (std::find(first, first + 4, next) == first + 4) *first = next;
    }
    const ShiftBaseline with = shiftBaseline(choices);
    EXPECT_EQ(with.shifts, kBaselineShifts);
    EXPECT_DOUBLE_EQ(with.pValue, 1.0 / (kBaselineShifts + 1));
    EXPECT_GT(with.observed, with.p95);
    EXPECT_GT(with.p95, with.mean);
    EXPECT_GT(with.excess(), 0);
}

TEST(ShiftBaseline, TheSeedDecides) {
    std::mt19937 random(8);
    const auto choices = independentLayers(random, 500, 16, 2, 0.5);
    EXPECT_EQ(shiftBaseline(choices, 99, 4).mean, shiftBaseline(choices, 99, 4).mean);
    EXPECT_NE(shiftBaseline(choices, 99, 4).mean, shiftBaseline(choices, 99, 5).mean);
    EXPECT_EQ(shiftBaseline(choices, 99, 4).observed, shiftBaseline(choices, 99, 5).observed);
}

TEST(ShiftBaseline, FewTokensAreUndefined) {
    std::mt19937 random(9);
    const auto few = shiftBaseline(independentLayers(random, 81, 8, 2, 0.5));
    EXPECT_EQ(few.n, 81);
    EXPECT_EQ(few.shifts, 0);
    EXPECT_TRUE(std::isnan(few.observed) && std::isnan(few.mean) && std::isnan(few.pValue));
    EXPECT_EQ(shiftBaseline(independentLayers(random, 82, 8, 2, 0.5)).shifts, 19);
    EXPECT_EQ(shiftBaseline({}).n, 0);
    EXPECT_TRUE(std::isnan(shiftBaseline({}).pValue));
    EXPECT_EQ(shiftBaseline(independentLayers(random, 300, 8, 2, 0.5), 18).shifts, 0);
}

TEST(ShiftBaseline, ObservesWhatTheTransitionTableSays) {
    TransitionCounter counter(relationShape(3, 24, 4));
    std::mt19937 random(10);
    for (int t = 0; t < 300; ++t) {
        counter.add(routedToken(unevenChoices(random, 3, 24, 4), 4), false);
    }
    for (int row = 0; row < 2; ++row) {
        const ShiftBaseline got = shiftBaseline(counter.recent(row));
        EXPECT_EQ(got.n, 300);
        EXPECT_NEAR(got.observed, counter.value(row).mutualInformation(), 1e-10);
        // Tokens independent of each other: the analytic term and the shifts agree.
        EXPECT_NEAR(got.mean / counter.value(row).mutualInformationBias(), 1, 0.1);
    }
}

}  // namespace
}  // namespace gatescope
