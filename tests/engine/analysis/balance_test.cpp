// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/balance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "engine/analysis/load_statistics.h"
#include "engine/error.h"

namespace gatescope {
namespace {

constexpr unsigned kDecode = 1U << static_cast<unsigned>(Phase::Decode);
constexpr unsigned kPrefill = 1U << static_cast<unsigned>(Phase::Prefill);
constexpr unsigned kDraft = 1U << static_cast<unsigned>(Phase::Draft);

RoutingShape shapeOf(int layers, int experts, int topK, bool mtp) {
    RoutingShape shape;
    for (int layer = 0; layer < layers; ++layer) {
        shape.layers.push_back(layer + 1);
    }
    shape.totalLayers = layers + 1;
    shape.mtpLayer = mtp ? layers + 1 : -1;
    shape.experts = experts;
    shape.topK = topK;
    return shape;
}

RoutedToken token(Phase phase, int topK, std::vector<std::uint16_t> experts) {
    RoutedToken out;
    out.phase = phase;
    const std::size_t rows = experts.size() / static_cast<std::size_t>(topK);
    out.routing.margins.assign(rows, 0.5F);
    out.routing.biasDecided.assign(rows, 0);
    out.routing.weights.assign(experts.size(), 0.25F);
    out.routing.experts = std::move(experts);
    return out;
}

/// A router that chooses expert `favourite` of every row with probability `favour`, and otherwise
/// uniformly.
class Traffic {
  public:
    Traffic(const RoutingShape& shape, unsigned seed) : m_shape(shape), m_random(seed) {
        m_order.resize(static_cast<std::size_t>(shape.experts));
        std::iota(m_order.begin(), m_order.end(), std::uint16_t{0});
    }

    RoutedToken next(Phase phase, std::size_t rows, double favour = 0,
                     std::uint16_t favourite = 0) {
        std::vector<std::uint16_t> chosen;
        for (std::size_t row = 0; row < rows; ++row) {
            std::shuffle(m_order.begin(), m_order.end(), m_random);
            if (std::uniform_real_distribution<double>()(m_random) < favour) {
                std::iter_swap(m_order.begin(),
                               std::find(m_order.begin(), m_order.end(), favourite));
            }
            chosen.insert(chosen.end(), m_order.begin(), m_order.begin() + m_shape.topK);
        }
        return token(phase, m_shape.topK, std::move(chosen));
    }

  private:
    RoutingShape m_shape;
    std::mt19937 m_random;
    std::vector<std::uint16_t> m_order;
};

TEST(Balance, ByHand) {
    // 1 layer, 4 experts, 1 chosen; a prefill of 3 tokens and 2 decode steps; an MTP layer.
    RoutingLoadCounter counter(shapeOf(1, 4, 1, true));
    StepTrace prefill;
    for (const std::uint16_t expert : {0, 0, 1}) {
        prefill.tokens.push_back(token(Phase::Prefill, 1, {expert}));
    }
    counter.add(prefill);
    for (const std::uint16_t expert : {0, 2}) {
        StepTrace step;
        step.tokens.push_back(token(Phase::Decode, 1, {expert}));
        step.mtp.push_back(token(Phase::Draft, 1, {3}));
        counter.add(step);
    }
    const BalanceValue value = balanceOf(counter.load(), kDefaultPhases);
    ASSERT_EQ(value.rows.size(), 2U);
    const BalanceRow& row = value.rows[0];
    EXPECT_EQ(row.layer, 1);
    EXPECT_FALSE(row.mtp);
    EXPECT_EQ(row.tokens, 5);
    EXPECT_EQ(row.choices, 5);
    EXPECT_EQ(row.steps, 3);
    EXPECT_DOUBLE_EQ(row.maxVio.value, 3.0 / 5 * 4 - 1);  // counts 3 1 1 0
    // Steps: 2 of 3, 1 of 1, 1 of 1.
    EXPECT_DOUBLE_EQ(row.stepMaxVio.value, (2.0 / 3 * 4 - 1 + 3 + 3) / 3);
    EXPECT_DOUBLE_EQ(row.minVio.value, 1);
    EXPECT_DOUBLE_EQ(row.avgVio.value, (1.4 + 0.2 + 0.2 + 1) / 4);
    EXPECT_DOUBLE_EQ(row.distinct.value, 3);
    EXPECT_DOUBLE_EQ(row.distinct.nullMean, 4 * (1 - std::pow(0.75, 5)));
    EXPECT_DOUBLE_EQ(row.gateMaxVio, row.maxVio.value) << "equal weights";
    EXPECT_NEAR(row.gateCv, row.cv.value, 1e-12);
    EXPECT_EQ(row.notSeen, 1);
    EXPECT_EQ(row.hot + row.cold + row.dead, 0);
    ASSERT_EQ(row.experts.size(), 4U);
    EXPECT_EQ(row.experts[3].verdict, LoadVerdict::NotSeen);
    EXPECT_DOUBLE_EQ(row.experts[0].relativeLoad, 2.4);
    // P(X >= 3) of Bin(5, 1/4) = (10*9 + 5*3 + 1) / 1024, doubled.
    EXPECT_NEAR(row.experts[0].pValue, 2 * 106.0 / 1024, 1e-14);
    EXPECT_NEAR(row.experts[0].qValue, std::min(1.0, 4 * row.experts[0].pValue), 1e-14);

    const BalanceRow& mtp = value.rows[1];
    EXPECT_TRUE(mtp.mtp);
    EXPECT_EQ(mtp.layer, 2);
    EXPECT_EQ(mtp.tokens, 2);
    EXPECT_EQ(mtp.steps, 2);
    EXPECT_DOUBLE_EQ(mtp.maxVio.value, 3);
    EXPECT_EQ(mtp.distinct.value, 1);
}

TEST(Balance, PhasesApart) {
    RoutingLoadCounter counter(shapeOf(1, 4, 1, false));
    StepTrace step;  // one step with tokens of two phases and a special one
    step.tokens.push_back(token(Phase::Decode, 1, {0}));
    step.tokens.push_back(token(Phase::Decode, 1, {0}));
    step.tokens.push_back(token(Phase::Rejected, 1, {1}));
    step.tokens.push_back(token(Phase::Prefill, 1, {2}));
    step.tokens.back().special = true;
    counter.add(step);
    const auto only = [&](unsigned mask) { return balanceOf(counter.load(), mask).rows[0]; };
    EXPECT_EQ(only(kDecode).tokens, 2);
    EXPECT_EQ(only(kDecode).steps, 1);
    EXPECT_DOUBLE_EQ(only(kDecode).stepMaxVio.value, 3);
    EXPECT_DOUBLE_EQ(only(kDecode).stepMaxVio.nullMean, uniformMaxVio(4, 1, 2));
    EXPECT_EQ(only(kPrefill).tokens, 0) << "special tokens are left out";
    EXPECT_EQ(only(kPrefill | kSpecialTokens).tokens, 1);
    EXPECT_EQ(only(kAllTokens).steps, 3);
    EXPECT_EQ(only(kAllTokens).tokens, 4);
    EXPECT_TRUE(std::isnan(only(kPrefill).stepMaxVio.value));
    EXPECT_TRUE(std::isnan(only(kPrefill).cv.value));
    EXPECT_TRUE(std::isnan(only(kPrefill).cv.nullMean));
    EXPECT_TRUE(std::isnan(only(kPrefill).experts[0].pValue));
    EXPECT_EQ(only(kPrefill).notSeen, 4);
    EXPECT_EQ(only(kPrefill).dead, 0);
}

TEST(Balance, UniformTrafficIsOrdinary) {
    const RoutingShape shape = shapeOf(20, 64, 6, true);
    RoutingLoadCounter counter(shape);
    Traffic traffic(shape, 17);
    for (int n = 0; n < 1500; ++n) {
        StepTrace step;
        step.tokens.push_back(traffic.next(Phase::Decode, 20));
        step.mtp.push_back(traffic.next(Phase::Draft, 1));
        counter.add(step);
    }
    const BalanceValue value = balanceOf(counter.load(), kDefaultPhases);
    int called = 0;
    int beyond = 0;
    for (const BalanceRow& row : value.rows) {
        called += row.hot + row.cold + row.dead;
        beyond += (row.maxVio.beyond ? 1 : 0) + (row.gini.beyond ? 1 : 0) +
                  (row.entropy.beyond ? 1 : 0) + (row.minVio.beyond ? 1 : 0);
        EXPECT_NEAR(row.cv.value, row.cv.nullMean, 0.3 * row.cv.nullMean);
        std::int64_t sum = 0;
        for (const ExpertBalance& expert : row.experts) {
            sum += expert.count;
        }
        EXPECT_EQ(sum, row.tokens * shape.topK);
        EXPECT_EQ(sum, row.choices);
        // One token at a time: 64/6 - 1 whatever the router does, and no excess.
        EXPECT_NEAR(row.stepMaxVio.value, 64.0 / 6 - 1, 1e-9);
        EXPECT_EQ(row.stepMaxVio.excess, 0);
        EXPECT_FALSE(row.stepMaxVio.beyond);
    }
    // A rate of 5 % of the calls, not of the experts: with nothing to find hardly any call.
    EXPECT_LE(called, 2);
    EXPECT_LE(beyond, 15) << "of 84, 4 expected";
}

TEST(Balance, PlantedExpertsAreFound) {
    const RoutingShape shape = shapeOf(3, 32, 4, false);
    RoutingLoadCounter counter(shape);
    Traffic traffic(shape, 4);
    for (int n = 0; n < 600; ++n) {
        RoutedToken routed = traffic.next(Phase::Decode, 3, 0.2, 9);
        for (std::uint16_t& expert : routed.routing.experts) {
            // Expert 20 is never chosen, expert 21 hardly ever: 9 stands in unless it is there.
            const bool avoided = expert == 20 || (expert == 21 && n % 20 != 0);
            expert = avoided ? static_cast<std::uint16_t>(n % 9) : expert;
        }
        counter.add(routed, false);
    }
    const BalanceValue value = balanceOf(counter.load(), kDecode);
    EXPECT_EQ(value.deadTokens, tokensToCallDead(32, 4));
    for (const BalanceRow& row : value.rows) {
        EXPECT_EQ(row.experts[9].verdict, LoadVerdict::Hot);
        EXPECT_EQ(row.experts[20].verdict, LoadVerdict::Dead);
        EXPECT_EQ(row.experts[21].verdict, LoadVerdict::Cold);
        EXPECT_EQ(row.dead, 1);
        EXPECT_EQ(row.steps, 0) << "added without their steps";
        EXPECT_TRUE(row.cv.beyond);
        EXPECT_TRUE(row.entropy.beyond);
        EXPECT_GT(row.gini.excess, 0);
        EXPECT_LT(row.effectiveExperts.excess, 0);
    }
}

TEST(Balance, MtpExpertsAreJudgedApart) {
    // The same counts in the MTP row give the same q-values however many main rows there are.
    const auto mtpOf = [](int layers) {
        const RoutingShape shape = shapeOf(layers, 16, 2, true);
        RoutingLoadCounter counter(shape);
        Traffic traffic(shape, 8);
        for (int n = 0; n < 100; ++n) {
            counter.add(traffic.next(Phase::Draft, 1, 0.3, 5), true);
        }
        Traffic other(shape, 9);
        for (int n = 0; n < 100; ++n) {
            counter.add(other.next(Phase::Decode, static_cast<std::size_t>(layers), 0.9, 1), false);
        }
        return balanceOf(counter.load(), kDraft | kDecode).rows.back();
    };
    const BalanceRow few = mtpOf(1);
    const BalanceRow many = mtpOf(12);
    for (std::size_t i = 0; i < 16; ++i) {
        EXPECT_EQ(few.experts[i].qValue, many.experts[i].qValue);
    }
    EXPECT_EQ(few.experts[5].verdict, LoadVerdict::Hot);
}

TEST(Balance, RefusesNonsense) {
    const RoutingLoadCounter counter(shapeOf(1, 4, 1, false));
    EXPECT_THROW(balanceOf(counter.load(), kAllTokens, 0), Error);
    EXPECT_THROW(balanceOf(counter.load(), kAllTokens, std::nan("")), Error);
    EXPECT_THROW(balanceOf(RoutingLoad{}, kAllTokens), Error);
    const BalanceValue nothing = balanceOf(counter.load(), kAllTokens);
    EXPECT_EQ(nothing.rows[0].tokens, 0);
    EXPECT_TRUE(std::isnan(nothing.rows[0].maxVio.value));
    EXPECT_TRUE(std::isnan(nothing.rows[0].distinct.value));
}

}  // namespace
}  // namespace gatescope
