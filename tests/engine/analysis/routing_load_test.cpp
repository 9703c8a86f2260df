// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/routing_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "engine/error.h"

namespace gatescope {
namespace {

constexpr unsigned kAll = 0xF;

unsigned bit(Phase phase) {
    return 1U << static_cast<unsigned>(phase);
}

/// Two MoE layers (1 and 3) of 4 experts, 2 chosen; an MTP layer 5.
RoutingShape smallShape() {
    RoutingShape shape;
    shape.layers = {1, 3};
    shape.mtpLayer = 5;
    shape.totalLayers = 5;
    shape.experts = 4;
    shape.topK = 2;
    return shape;
}

RoutedToken token(Phase phase, std::vector<std::uint16_t> experts, std::vector<float> weights) {
    RoutedToken token;
    token.phase = phase;
    token.routing.margins.assign(experts.size() / 2, 0.5F);
    token.routing.biasDecided.assign(experts.size() / 2, 0);
    token.routing.experts = std::move(experts);
    token.routing.weights = std::move(weights);
    return token;
}

TEST(RoutingLoad, CountsByHand) {
    RoutingLoadCounter counter(smallShape());
    StepTrace step;
    step.tokens.push_back(token(Phase::Prefill, {0, 1, 2, 3}, {0.75F, 0.25F, 0.5F, 0.5F}));
    step.tokens.push_back(token(Phase::Prefill, {0, 2, 2, 1}, {1.0F, 0.0F, 0.25F, 0.75F}));
    step.tokens.push_back(token(Phase::Decode, {0, 3, 2, 0}, {0.5F, 0.5F, 1.0F, 0.0F}));
    step.mtp.push_back(token(Phase::Draft, {1, 3}, {0.5F, 0.5F}));
    counter.add(step);
    const RoutingLoad& load = counter.load();

    EXPECT_EQ(load.rows(), 3);
    EXPECT_EQ(load.tokens(0, kAll), 3);
    EXPECT_EQ(load.tokens(0, bit(Phase::Prefill)), 2);
    EXPECT_EQ(load.tokens(2, kAll), 1);
    EXPECT_EQ(load.tokens(2, bit(Phase::Prefill)), 0);
    EXPECT_EQ(load.count(0, 0, kAll), 3);
    EXPECT_EQ(load.count(0, 0, bit(Phase::Decode)), 1);
    EXPECT_EQ(load.count(1, 2, kAll), 3);
    EXPECT_EQ(load.count(2, 3, bit(Phase::Draft)), 1);

    EXPECT_DOUBLE_EQ(load.relativeLoad(0, 0, kAll), 3.0 * 4 / 6);  // c E / (n k)
    EXPECT_DOUBLE_EQ(load.relativeLoad(1, 3, kAll), 1.0 * 4 / 6);
    EXPECT_DOUBLE_EQ(load.maxVio(0, kAll), 1.0);
    EXPECT_DOUBLE_EQ(load.maxVio(0, bit(Phase::Prefill)), 2.0 * 4 / 4 - 1);
    EXPECT_DOUBLE_EQ(load.relativeGateMass(0, 0, kAll), 2.25 * 4 / 3);
    EXPECT_DOUBLE_EQ(load.relativeGateMass(1, 2, bit(Phase::Decode)), 4.0);
}

TEST(RoutingLoad, NothingIsNaNNotZero) {
    RoutingLoadCounter counter(smallShape());
    counter.add(token(Phase::Decode, {0, 1, 2, 3}, {1, 0, 1, 0}), false);
    const RoutingLoad& load = counter.load();
    EXPECT_TRUE(std::isnan(load.maxVio(0, bit(Phase::Prefill))));
    EXPECT_TRUE(std::isnan(load.relativeLoad(2, 0, kAll)));
    EXPECT_TRUE(std::isnan(load.relativeGateMass(2, 0, kAll)));
    EXPECT_TRUE(std::isnan(load.maxVio(0, 0)));
}

TEST(RoutingLoad, UnrecordedPositionsDoNotCount) {
    RoutingLoadCounter counter(smallShape());
    counter.add(RoutedToken{}, false);
    EXPECT_EQ(counter.load().tokens(0, kAll), 0);
}

TEST(RoutingLoad, RowsAndLayers) {
    const RoutingLoadCounter counter(smallShape());
    const RoutingLoad& load = counter.load();
    EXPECT_EQ(load.rowOfLayer(1), 0);
    EXPECT_EQ(load.rowOfLayer(3), 1);
    EXPECT_EQ(load.rowOfLayer(5), 2);
    EXPECT_EQ(load.rowOfLayer(0), -1);
    EXPECT_EQ(load.rowOfLayer(2), -1);
    EXPECT_EQ(load.rowOfLayer(-1), -1);
    EXPECT_EQ(load.layerOfRow(0), 1);
    EXPECT_EQ(load.layerOfRow(2), 5);

    RoutingShape withoutMtp = smallShape();
    withoutMtp.mtpLayer = -1;
    EXPECT_EQ(RoutingLoadCounter(withoutMtp).load().rows(), 2);
    EXPECT_EQ(RoutingLoadCounter(withoutMtp).load().rowOfLayer(-1), -1);
}

TEST(RoutingLoad, SnapshotStaysAsItWas) {
    RoutingLoadCounter counter(smallShape());
    counter.add(token(Phase::Decode, {0, 1, 2, 3}, {1, 0, 1, 0}), false);
    const auto before = counter.snapshot();
    counter.add(token(Phase::Decode, {0, 1, 2, 3}, {1, 0, 1, 0}), false);
    EXPECT_EQ(before->tokens(0, kAll), 1);
    EXPECT_EQ(counter.snapshot()->tokens(0, kAll), 2);
}

TEST(RoutingLoad, RefusesRoutingOfAnotherModel) {
    RoutingLoadCounter counter(smallShape());
    EXPECT_THROW(counter.add(token(Phase::Decode, {0, 4, 2, 3}, {1, 0, 1, 0}), false), Error);
    EXPECT_THROW(counter.add(token(Phase::Decode, {0, 1}, {1, 0}), false), Error);
    EXPECT_THROW(counter.add(token(Phase::Decode, {0, 1, 2, 3}, {1, 0, 1, 0}), true), Error);
    RoutingShape shape = smallShape();
    shape.mtpLayer = -1;
    EXPECT_THROW(RoutingLoadCounter(shape).add(token(Phase::Draft, {0, 1}, {1, 0}), true), Error);
    EXPECT_EQ(counter.load().tokens(0, kAll), 0) << "a refused position must leave nothing";
}

TEST(RoutingLoad, CountsSumToTokensTimesK) {
    RoutingShape shape;
    shape.layers = {2, 3, 4};
    shape.totalLayers = 5;
    shape.experts = 19;
    shape.topK = 5;
    RoutingLoadCounter counter(shape);
    std::mt19937 random(7);
    std::vector<std::uint16_t> order(19);
    std::iota(order.begin(), order.end(), std::uint16_t{0});
    for (int n = 0; n < 200; ++n) {
        RoutedToken routed;
        routed.phase = static_cast<Phase>(random() % 4);
        for (int row = 0; row < 3; ++row) {
            std::shuffle(order.begin(), order.end(), random);
            routed.routing.experts.insert(routed.routing.experts.end(), order.begin(),
                                          order.begin() + 5);
        }
        routed.routing.weights.assign(15, 0.2F);
        routed.routing.margins.assign(3, 0.1F);
        routed.routing.biasDecided.assign(3, 0);
        counter.add(routed, false);
    }
    for (unsigned mask = 0; mask < 16; ++mask) {
        for (int row = 0; row < 3; ++row) {
            std::int64_t sum = 0;
            for (int expert = 0; expert < 19; ++expert) {
                sum += counter.load().count(row, expert, mask);
            }
            EXPECT_EQ(sum, counter.load().tokens(row, mask) * 5);
        }
    }
    EXPECT_EQ(counter.load().tokens(0, kAll), 200);
}

TEST(RoutingLoad, StepsByHand) {
    RoutingLoadCounter counter(smallShape());
    StepTrace prefill;
    prefill.tokens.push_back(token(Phase::Prefill, {0, 1, 2, 3}, {1, 0, 1, 0}));
    prefill.tokens.push_back(token(Phase::Prefill, {0, 2, 1, 3}, {1, 0, 1, 0}));
    prefill.tokens.push_back(token(Phase::Prefill, {0, 3, 0, 1}, {1, 0, 1, 0}));
    prefill.tokens.push_back(RoutedToken{});  // not recorded: in no step either
    prefill.mtp.push_back(token(Phase::Draft, {0, 1}, {1, 0}));
    prefill.mtp.push_back(token(Phase::Draft, {0, 1}, {1, 0}));
    counter.add(prefill);
    for (int step = 0; step < 2; ++step) {
        StepTrace decode;
        decode.tokens.push_back(token(Phase::Decode, {0, 1, 2, 3}, {1, 0, 1, 0}));
        decode.tokens.push_back(token(Phase::Rejected, {0, 1, 2, 3}, {1, 0, 1, 0}));
        counter.add(decode);
    }
    const RoutingLoad& load = counter.load();
    const auto sizes = [&](int row, unsigned mask) { return load.stepSizes(row, mask); };
    EXPECT_EQ(sizes(0, bit(Phase::Prefill)), (std::vector<StepSize>{{3, 1}}));
    EXPECT_EQ(sizes(1, bit(Phase::Decode)), (std::vector<StepSize>{{1, 2}}));
    EXPECT_EQ(sizes(0, kAll), (std::vector<StepSize>{{1, 4}, {3, 1}}));
    EXPECT_EQ(sizes(2, kAll), (std::vector<StepSize>{{2, 1}}));
    EXPECT_TRUE(sizes(2, bit(Phase::Prefill)).empty());
    // 3 of 6 choices and 2 of 6, times 4 experts.
    EXPECT_DOUBLE_EQ(load.stepMaxVio(0, bit(Phase::Prefill)), 1);
    EXPECT_DOUBLE_EQ(load.stepMaxVio(1, bit(Phase::Prefill)), 2.0 / 6 * 4 - 1);
    EXPECT_DOUBLE_EQ(load.stepMaxVio(0, bit(Phase::Decode)), 1);
    EXPECT_DOUBLE_EQ(load.stepMaxVio(1, kAll), (2.0 / 6 * 4 - 1 + 4 * 1) / 5);
    EXPECT_DOUBLE_EQ(load.stepMaxVio(2, bit(Phase::Draft)), 1);
    EXPECT_TRUE(std::isnan(load.stepMaxVio(2, bit(Phase::Decode))));
}

TEST(RoutingLoad, OneStepHasTheMaxVioOfItsCounts) {
    RoutingShape shape = smallShape();
    shape.experts = 40;
    std::mt19937 random(3);
    for (int round = 0; round < 20; ++round) {
        RoutingLoadCounter counter(shape);
        StepTrace step;
        for (unsigned n = 0; n < 1 + random() % 30; ++n) {
            std::vector<std::uint16_t> experts;
            for (int row = 0; row < 2; ++row) {
                const auto first = static_cast<std::uint16_t>(random() % 40);
                experts.insert(
                    experts.end(),
                    {first, static_cast<std::uint16_t>((first + 1 + random() % 39) % 40)});
            }
            step.tokens.push_back(token(Phase::Decode, experts, {1, 1, 1, 1}));
        }
        counter.add(step);
        for (int row = 0; row < 2; ++row) {
            EXPECT_DOUBLE_EQ(counter.load().stepMaxVio(row, kAll),
                             counter.load().maxVio(row, kAll));
        }
        // The cells of the step are clean again: a second step counts alone.
        counter.add(step);
        for (int row = 0; row < 2; ++row) {
            EXPECT_DOUBLE_EQ(counter.load().stepMaxVio(row, kAll),
                             counter.load().maxVio(row, kAll));
        }
    }
}

TEST(RoutingLoad, RefusedStepLeavesNothing) {
    RoutingLoadCounter counter(smallShape());
    StepTrace step;
    step.tokens.push_back(token(Phase::Decode, {0, 1, 2, 3}, {1, 0, 1, 0}));
    step.tokens.push_back(token(Phase::Decode, {0, 1, 2, 9}, {1, 0, 1, 0}));
    EXPECT_THROW(counter.add(step), Error);
    EXPECT_EQ(counter.load().tokens(0, kAll), 0);
    EXPECT_TRUE(counter.load().stepSizes(0, kAll).empty());
    RoutedToken odd = token(Phase::Decode, {0, 1, 2, 3}, {1, 0, 1, 0});
    odd.phase = static_cast<Phase>(9);
    EXPECT_THROW(counter.add(odd, false), Error);
}

}  // namespace
}  // namespace gatescope
