// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/speculation_stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>

#include "engine/error.h"

namespace gatescope {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// Steps of one depth by how many they accepted.
SpeculationRates ratesOf(const std::vector<std::int64_t>& histogram) {
    DraftOutcomes outcomes(histogram.size());
    outcomes.back() = histogram;
    return speculationRates(outcomes);
}

// Published by vLLM's maintainers for three drafts per step.
TEST(SpeculationRates, PublishedHistogram) {
    const SpeculationRates rates = ratesOf({39, 1, 0, 3});
    EXPECT_EQ(rates.steps, 43);
    EXPECT_EQ(rates.accepted, 10);
    EXPECT_EQ(rates.drafted, 129);
    EXPECT_NEAR(rates.length, 1.232558, 5e-7);
    EXPECT_NEAR(rates.lengthWithoutBonus, 0.232558, 5e-7);
    EXPECT_NEAR(rates.rate, 0.077519, 5e-7);
    EXPECT_EQ(rates.histogram, (std::vector<std::int64_t>{39, 1, 0, 3}));
    ASSERT_EQ(rates.positions.size(), 3U);
    EXPECT_DOUBLE_EQ(rates.positions[0].unconditional, 4.0 / 43);
    EXPECT_DOUBLE_EQ(rates.positions[1].unconditional, 3.0 / 43);
    EXPECT_DOUBLE_EQ(rates.positions[2].unconditional, 3.0 / 43);
    EXPECT_NEAR(rates.positions[0].conditional, 0.0930, 5e-5);
    EXPECT_DOUBLE_EQ(rates.positions[1].conditional, 0.75);
    EXPECT_DOUBLE_EQ(rates.positions[2].conditional, 1.0);
}

// Published by llama.cpp: 167 of 259 accepted in 87 steps of up to 3 drafts. How they fell is not
// published; any way gives the same length.
TEST(SpeculationRates, PublishedTotals) {
    DraftOutcomes outcomes(4);
    outcomes[2] = {0, 0, 2};
    outcomes[3] = {15, 12, 23, 35};
    const SpeculationRates rates = speculationRates(outcomes);
    ASSERT_EQ(rates.steps, 87);
    ASSERT_EQ(rates.drafted, 259);
    ASSERT_EQ(rates.accepted, 167);
    EXPECT_NEAR(rates.length, 2.92, 5e-3);
    double sum = 0;
    for (const DraftPosition& position : rates.positions) {
        sum += position.unconditional;
    }
    EXPECT_NEAR(sum, rates.length - 1, 1e-12);
    EXPECT_NEAR(sum, 1.920, 5e-4);
    EXPECT_NEAR(rates.rate, 167.0 / 259, 1e-12);
}

TEST(SpeculationRates, NothingDraftedIsNotZero) {
    const SpeculationRates rates = speculationRates(DraftOutcomes{});
    EXPECT_EQ(rates.steps, 0);
    EXPECT_TRUE(std::isnan(rates.rate));
    EXPECT_TRUE(std::isnan(rates.length));
    EXPECT_TRUE(std::isnan(rates.rate95.low));
    EXPECT_TRUE(rates.positions.empty());
    EXPECT_TRUE(rates.histogram.empty());
}

// One draft, then three: position 1 is asked in both, 2 and 3 only in the deep ones.
TEST(SpeculationRates, DenominatorsOfMixedDepths) {
    DraftOutcomes outcomes(4);
    outcomes[1] = {2, 8};
    outcomes[3] = {4, 3, 2, 1};
    const SpeculationRates rates = speculationRates(outcomes);
    ASSERT_EQ(rates.positions.size(), 3U);
    EXPECT_EQ(rates.positions[0].asked, 20);
    EXPECT_EQ(rates.positions[0].reached, 20);
    EXPECT_EQ(rates.positions[0].accepted, 14);
    EXPECT_EQ(rates.positions[1].asked, 10);
    EXPECT_EQ(rates.positions[1].reached, 6);  // the 8 steps of one draft do not reach position 2
    EXPECT_EQ(rates.positions[1].accepted, 3);
    EXPECT_EQ(rates.positions[2].reached, 3);
    EXPECT_EQ(rates.positions[2].accepted, 1);
    EXPECT_DOUBLE_EQ(rates.positions[1].unconditional, 3.0 / 20);
    EXPECT_DOUBLE_EQ(rates.positions[1].conditional, 0.5);
    EXPECT_EQ(rates.histogram, (std::vector<std::int64_t>{6, 11, 2, 1}));
}

TEST(SpeculationRates, PropertiesOfAnySteps) {
    std::mt19937 random(7);
    for (int round = 0; round < 50; ++round) {
        std::vector<VerifyStep> steps(random() % 200 + 1);
        std::int64_t drafted = 0;
        for (VerifyStep& step : steps) {
            step.drafted = static_cast<int>(random() % 8) + 1;
            step.accepted = static_cast<int>(random() % static_cast<unsigned>(step.drafted + 1));
            drafted += step.drafted;
        }
        const SpeculationRates rates = speculationRates(steps);
        EXPECT_EQ(rates.drafted, drafted);
        EXPECT_EQ(std::accumulate(rates.histogram.begin(), rates.histogram.end(), std::int64_t{0}),
                  rates.steps);
        double sum = 0;
        std::int64_t asked = 0;
        for (std::size_t p = 0; p < rates.positions.size(); ++p) {
            const DraftPosition& at = rates.positions[p];
            sum += at.unconditional;
            asked += at.asked;
            // A second way: straight from the definitions.
            const int i = static_cast<int>(p) + 1;
            const auto reached =
                std::count_if(steps.begin(), steps.end(), [i](const VerifyStep& step) {
                    return step.accepted >= i - 1 && step.drafted >= i;
                });
            EXPECT_EQ(at.reached, reached);
            EXPECT_LE(at.accepted, at.reached);
            EXPECT_LE(at.reached, at.asked);
        }
        EXPECT_NEAR(sum, rates.length - 1, 1e-12);
        EXPECT_EQ(asked, drafted);
    }
}

TEST(SpeculationRates, ImpossibleStepsAreOurMistake) {
    EXPECT_THROW(speculationRates(DraftOutcomes{{}, {0, 0, 1}}), std::invalid_argument);
    EXPECT_THROW(speculationRates(DraftOutcomes{{}, {-1}}), std::invalid_argument);
    EXPECT_THROW(speculationRates(std::vector<VerifyStep>{{DraftSource::Mtp, 1, 2}}),
                 std::invalid_argument);
    EXPECT_THROW(speculationRates(std::vector<VerifyStep>{{DraftSource::Mtp, -1, -1}}),
                 std::invalid_argument);
}

TEST(SpeculationRates, NamesOfServingEngines) {
    const auto figures = speculationFigures(ratesOf({39, 1, 0, 3}));
    const auto find = [&](std::string_view name) {
        for (const SpeculationFigure& figure : figures) {
            if (figure.name == name) {
                return figure.value;
            }
        }
        throw std::out_of_range(std::string(name));
    };
    EXPECT_EQ(std::get<std::int64_t>(find("num_spec_steps")), 43);
    EXPECT_EQ(std::get<std::int64_t>(find("num_spec_tokens")), 3);
    EXPECT_EQ(std::get<std::int64_t>(find("num_draft_tokens")), 129);
    EXPECT_EQ(std::get<std::int64_t>(find("num_accepted_draft_tokens")), 10);
    EXPECT_NEAR(std::get<double>(find("mean_acceptance_length")), 1.232558, 5e-7);
    EXPECT_NEAR(std::get<double>(find("draft_acceptance_rate")), 0.077519, 5e-7);
    EXPECT_EQ(std::get<std::vector<std::int64_t>>(find("acceptance_histogram")),
              (std::vector<std::int64_t>{39, 1, 0, 3}));
    EXPECT_EQ(std::get<std::vector<double>>(find("acceptance_rates_per_position")).size(), 3U);
}

TEST(SpeculationRates, WilsonInterval) {
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

TEST(SpeculationRates, RunningLengthForgetsOldSteps) {
    const std::vector<VerifyStep> steps{{DraftSource::Mtp, 3, 3},
                                        {DraftSource::Mtp, 3, 1},
                                        {DraftSource::Lookup, 1, 0},
                                        {DraftSource::Mtp, 2, 2}};
    EXPECT_EQ(runningLength(steps, 2), (std::vector<double>{4, 3, 1.5, 2}));
    EXPECT_THROW(runningLength(steps, 0), std::invalid_argument);
}

TEST(SpeculationRates, UniformDistinctExperts) {
    // Two positions of 8 of 256: 1.97 times the reads of one; three: 2.91 times.
    EXPECT_NEAR(uniformDistinctExperts(58, 256, 8, 1), 58 * 8, 1e-9);
    EXPECT_NEAR(uniformDistinctExperts(58, 256, 8, 2) / (58 * 8), 1.97, 5e-3);
    EXPECT_NEAR(uniformDistinctExperts(58, 256, 8, 3) / (58 * 8), 2.91, 5e-3);
}

TEST(SpeculationCost, ExpectedTokensIsTheGeometricSum) {
    EXPECT_DOUBLE_EQ(expectedTokens(0.85, 1), 1.85);
    EXPECT_NEAR(expectedTokens(0.8, 3), (1 - std::pow(0.8, 4)) / (1 - 0.8), 1e-12);
    EXPECT_EQ(expectedTokens(1, 4), 5);
    EXPECT_EQ(expectedTokens(0, 4), 1);
}

TEST(SpeculationCost, BreakEvenInvertsTheSpeedUp) {
    for (const int depth : {1, 2, 3, 8}) {
        for (const double alpha : {0.01, 0.2, 0.5, 0.85, 0.999, 1.0}) {
            // Costs under which this acceptance neither wins nor loses.
            const double cost = expectedTokens(alpha, depth);
            const double draft = 0.05;
            const double verify = cost - depth * draft;
            const double found = breakEvenAcceptance(depth, draft, verify);
            EXPECT_NEAR(found, alpha, 1e-9) << depth;
            EXPECT_NEAR(expectedTokens(found, depth) / (depth * draft + verify), 1, 1e-12);
        }
    }
    // One draft: alpha = c_d + v - 1.
    EXPECT_NEAR(breakEvenAcceptance(1, 0.1, 1.5), 0.6, 1e-12);
}

TEST(SpeculationCost, BreakEvenOutOfReach) {
    EXPECT_TRUE(std::isinf(breakEvenAcceptance(1, 0.2, 1.97)));
    EXPECT_TRUE(std::isinf(breakEvenAcceptance(3, 0.5, 2.6)));
    EXPECT_EQ(breakEvenAcceptance(1, 0.0, 0.9), 0);  // wins whatever is accepted
    EXPECT_TRUE(std::isnan(breakEvenAcceptance(1, std::nan(""), 1)));
}

RoutingShape shape() {
    RoutingShape out;
    out.layers = {1, 2};
    out.totalLayers = 3;
    out.experts = 8;
    out.topK = 2;
    return out;
}

RoutedToken routed(Phase phase, const std::vector<std::uint16_t>& experts) {
    RoutedToken token;
    token.phase = phase;
    token.routing.experts = experts;
    token.routing.weights.assign(experts.size(), 0.5F);
    token.routing.margins.assign(2, 0.1F);
    return token;
}

StepTrace plainStep(std::int64_t forwardNs, std::int64_t draftNs = 0) {
    StepTrace step;
    step.tokens.push_back(routed(Phase::Decode, {0, 1, 2, 3}));
    step.timing.forwardNs = forwardNs;
    step.timing.draftNs = draftNs;
    return step;
}

StepTrace verifyStep(DraftSource source, int drafted, int accepted, std::int64_t forwardNs,
                     std::int64_t draftNs) {
    StepTrace step;
    SpeculativeStep at;
    at.source = source;
    at.accepted = accepted;
    for (int i = 0; i < drafted; ++i) {
        at.drafts.push_back({i, 0.5F, i < accepted ? 0.75F : i == accepted ? 0.25F : kNaN});
    }
    step.speculation = at;
    step.timing.forwardNs = forwardNs;
    step.timing.draftNs = draftNs;
    return step;
}

TEST(SpeculationCounter, NothingYet) {
    const SpeculationValue value = SpeculationCounter(shape()).value();
    EXPECT_TRUE(value.empty());
    EXPECT_TRUE(std::isnan(value.gain.gain));
    EXPECT_TRUE(std::isnan(value.gain.tokensPerSecond));
    EXPECT_TRUE(std::isnan(value.plain.meanNs));
    EXPECT_EQ(value.plainSteps(), 0);
    ASSERT_EQ(value.layers.size(), 2U);
    EXPECT_TRUE(std::isnan(value.layers[0].distinct));
    EXPECT_TRUE(value.costs.empty());
    EXPECT_TRUE(std::isnan(value.meanDraftProbability));
    EXPECT_TRUE(std::isnan(value.byClass[0].rate));
    EXPECT_TRUE(SpeculationCounter().value().empty());
}

// Two drafts, the first accepted: three positions, the last one rejected.
TEST(SpeculationCounter, ReadsByHand) {
    StepTrace step = verifyStep(DraftSource::Mtp, 2, 1, 1, 0);
    step.tokens = {routed(Phase::Decode, {0, 1, 2, 3}), routed(Phase::Decode, {0, 2, 2, 3}),
                   routed(Phase::Rejected, {4, 5, 3, 4})};
    step.speculation->distinctExperts = {5, 3};  // {0 1 2 4 5} and {2 3 4}
    step.speculation->wastedExperts = {2, 1};    // {4 5} and {4}
    SpeculationCounter counter(shape());
    counter.add(step);
    const SpeculationValue value = counter.value();
    ASSERT_EQ(value.layers.size(), 2U);
    EXPECT_EQ(value.layers[0].layer, 1);
    EXPECT_EQ(value.layers[0].steps, 1);
    EXPECT_EQ(value.layers[0].distinct, 5);
    EXPECT_EQ(value.layers[0].plain, 4);  // (a + 1) k
    EXPECT_EQ(value.layers[0].wasted, 2);
    EXPECT_DOUBLE_EQ(value.layers[0].wastedShare, 0.4);
    EXPECT_DOUBLE_EQ(value.layers[0].ratio, 1.25);
    EXPECT_DOUBLE_EQ(value.layers[0].uniform, 8 * (1 - std::pow(1 - 2.0 / 8, 3)));
    EXPECT_EQ(value.layers[1].ratio, 0.75);  // reads less than plain decoding would
    EXPECT_EQ(value.reads.distinct, 8);
    EXPECT_EQ(value.reads.plain, 8);
    EXPECT_EQ(value.distinctReads, 8);
    EXPECT_EQ(value.wastedReads, 3);
    ASSERT_EQ(value.steps.size(), 1U);
    EXPECT_EQ(value.steps[0].distinctExperts, 8);
    EXPECT_EQ(value.steps[0].wastedExperts, 3);
}

TEST(SpeculationCounter, LayersThatChoseFewer) {
    StepTrace step = verifyStep(DraftSource::Mtp, 1, 0, 1, 0);
    step.tokens = {routed(Phase::Decode, {0, 1, 2, kNoExpert}),
                   routed(Phase::Rejected, {0, 3, 4, kNoExpert})};
    step.speculation->distinctExperts = {3, 2};
    step.speculation->wastedExperts = {1, 1};
    SpeculationCounter counter(shape());
    counter.add(step);
    const SpeculationValue value = counter.value();
    EXPECT_EQ(value.layers[0].plain, 2);
    EXPECT_EQ(value.layers[1].plain, 1);
    EXPECT_DOUBLE_EQ(value.layers[1].uniform, 8 * (1 - std::pow(1 - 1.0 / 8, 2)));
}

// The answer ended with the first draft: the second one is left out of the drafts, but was read.
TEST(SpeculationCounter, ReadsBehindTheEndCount) {
    StepTrace step = verifyStep(DraftSource::Mtp, 1, 1, 1, 0);
    step.tokens = {routed(Phase::Decode, {0, 1, 2, 3}), routed(Phase::Decode, {0, 1, 2, 3}),
                   routed(Phase::Rejected, {4, 5, 2, 3})};
    step.speculation->distinctExperts = {4, 2};
    step.speculation->wastedExperts = {2, 0};
    SpeculationCounter counter(shape());
    counter.add(step);
    const SpeculationValue value = counter.value();
    EXPECT_EQ(value.layers[0].plain, 4);
    EXPECT_DOUBLE_EQ(value.layers[0].uniform, 8 * (1 - std::pow(1 - 2.0 / 8, 3)));
    EXPECT_EQ(value.layers[1].ratio, 0.5);
}

TEST(SpeculationCounter, ChoicesNotRecorded) {
    StepTrace step = verifyStep(DraftSource::Lookup, 3, 2, 1, 0);
    step.speculation->distinctExperts = {6, 5};
    SpeculationCounter counter(shape());
    counter.add(step);
    counter.add(verifyStep(DraftSource::Lookup, 1, 1, 1, 0));  // nothing about experts at all
    const SpeculationValue value = counter.value();
    EXPECT_EQ(value.layers[0].steps, 1);
    EXPECT_EQ(value.layers[0].plain, 6);
    EXPECT_EQ(value.layers[0].wasted, 0);
    EXPECT_EQ(value.all.steps, 2);
}

TEST(SpeculationCounter, SourcesAndDepthsApart) {
    SpeculationCounter counter(shape());
    counter.add(verifyStep(DraftSource::Mtp, 1, 1, 1, 0));
    counter.add(verifyStep(DraftSource::Mtp, 2, 0, 1, 0));
    counter.add(verifyStep(DraftSource::Lookup, 4, 3, 1, 0));
    const SpeculationValue value = counter.value();
    EXPECT_EQ(value.all.steps, 3);
    EXPECT_EQ(value.all.drafted, 7);
    EXPECT_EQ(value.all.accepted, 4);
    EXPECT_EQ(value.bySource[0].drafted, 3);
    EXPECT_EQ(value.bySource[1].accepted, 3);
    ASSERT_EQ(value.byDepth.size(), 5U);
    EXPECT_EQ(value.byDepth[0].steps, 0);
    EXPECT_EQ(value.byDepth[1].accepted, 1);
    EXPECT_EQ(value.byDepth[2].accepted, 0);
    EXPECT_EQ(value.byDepth[3].steps, 0);
    EXPECT_EQ(value.byDepth[4].positions.size(), 4U);
    EXPECT_EQ(value.steps[2].source, DraftSource::Lookup);
}

TEST(SpeculationCounter, DraftsBehindARejectedOneAreNotJudged) {
    // Even ids are words, odd ones numbers.
    SpeculationCounter counter(shape(), [](std::int32_t id) {
        return id % 2 == 0 ? TokenClass::Word : TokenClass::Number;
    });
    counter.add(verifyStep(DraftSource::Mtp, 4, 1, 1, 0));  // 0 accepted, 1 rejected, 2 and 3 not
    counter.add(verifyStep(DraftSource::Mtp, 3, 3, 1, 0));  // 0, 1, 2 accepted
    const SpeculationValue value = counter.value();
    const ClassRates& words = value.byClass[static_cast<std::size_t>(TokenClass::Word)];
    const ClassRates& numbers = value.byClass[static_cast<std::size_t>(TokenClass::Number)];
    EXPECT_EQ(words.judged, 3);
    EXPECT_EQ(words.accepted, 3);
    EXPECT_EQ(numbers.judged, 2);
    EXPECT_EQ(numbers.accepted, 1);
    EXPECT_EQ(numbers.rate, 0.5);
    EXPECT_EQ(numbers.rate95.low, wilson95(1, 2).low);
    EXPECT_EQ(value.judged, 5);
    EXPECT_EQ(value.withProbabilities, 5);
    EXPECT_DOUBLE_EQ(value.meanDraftProbability, 0.5);
    EXPECT_DOUBLE_EQ(value.meanTargetProbability, (4 * 0.75 + 0.25) / 5);
}

TEST(SpeculationCounter, TimesAndGain) {
    SpeculationCounter counter(shape());
    counter.add(plainStep(90, 40));  // its 40 ns were spent on drafting
    counter.add(plainStep(110));
    counter.add(verifyStep(DraftSource::Mtp, 2, 2, 150, 20));
    counter.add(verifyStep(DraftSource::Mtp, 2, 1, 170, 20));
    StepTrace pairs;  // the MTP module's cache, filled behind the answer
    pairs.timing.draftNs = 10;
    counter.add(pairs);
    const SpeculationValue value = counter.value();
    EXPECT_EQ(value.plain.n, 2);
    EXPECT_EQ(value.plain.meanNs, 100);
    EXPECT_EQ(value.plain.medianNs, 100);
    ASSERT_EQ(value.costs.size(), 1U);
    const VerifyCost& cost = value.costs[0];
    EXPECT_EQ(cost.depth, 2);
    EXPECT_EQ(cost.total.n, 2);
    EXPECT_EQ(cost.total.meanNs, 180);
    EXPECT_EQ(cost.draft.medianNs, 20);
    EXPECT_EQ(cost.verify.meanNs, 160);
    EXPECT_DOUBLE_EQ(cost.draftCost, 0.1);
    EXPECT_DOUBLE_EQ(cost.verifyCost, 1.6);
    EXPECT_DOUBLE_EQ(cost.length, 2.5);
    EXPECT_DOUBLE_EQ(cost.gain, 2.5 / 1.8 - 1);
    EXPECT_NEAR(expectedTokens(cost.breakEven, 2), 1.8, 1e-12);
    EXPECT_NEAR(expectedTokens(cost.equalAcceptance, 2), 2.5, 1e-12);
    EXPECT_DOUBLE_EQ(value.gain.plainTokensPerSecond, 1e7);
    EXPECT_DOUBLE_EQ(value.gain.tokensPerSecond, 5 * 1e9 / 410);
    EXPECT_DOUBLE_EQ(value.gain.gain, 5 * 100.0 / 410 - 1);
    // 4.1 plain steps bought 2 verify steps: 2.1 of 4 drafts must be accepted.
    EXPECT_DOUBLE_EQ(value.gain.breakEven, 2.1 / 4);
}

TEST(SpeculationCounter, GainIsUnknownWithoutPlainSteps) {
    SpeculationCounter counter(shape());
    counter.add(verifyStep(DraftSource::Mtp, 1, 1, 100, 10));
    const SpeculationValue value = counter.value();
    EXPECT_EQ(value.gain.plainSteps, 0);
    EXPECT_TRUE(std::isnan(value.gain.gain));
    EXPECT_TRUE(std::isnan(value.gain.breakEven));
    EXPECT_TRUE(std::isnan(value.costs[0].verifyCost));
    EXPECT_TRUE(std::isnan(value.costs[0].breakEven));
    EXPECT_FALSE(std::isnan(value.gain.tokensPerSecond));
}

TEST(SpeculationCounter, OtherStepsArePassedOver) {
    SpeculationCounter counter(shape());
    StepTrace prefill = plainStep(100);
    prefill.tokens[0].phase = Phase::Prefill;
    counter.add(prefill);
    StepTrace two = plainStep(100);
    two.tokens.push_back(two.tokens.front());
    counter.add(two);
    counter.add(StepTrace());
    StepTrace empty;
    empty.speculation.emplace();
    counter.add(empty);
    EXPECT_TRUE(counter.value().empty());
    EXPECT_EQ(counter.value().plainSteps(), 0);
}

TEST(SpeculationCounter, ImpossibleStepsCountNothing) {
    SpeculationCounter counter(shape());
    StepTrace step = verifyStep(DraftSource::Mtp, 1, 1, 1, 0);
    step.speculation->accepted = 2;
    EXPECT_THROW(counter.add(step), Error);
    step.speculation->accepted = -1;
    EXPECT_THROW(counter.add(step), Error);
    step = verifyStep(DraftSource::Mtp, 1, 1, 1, 0);
    step.speculation->distinctExperts = {1, 2, 3};
    EXPECT_THROW(counter.add(step), Error);
    step.speculation->distinctExperts = {1, 2};
    step.speculation->wastedExperts = {2, 2};
    EXPECT_THROW(counter.add(step), Error);
    EXPECT_THROW(
        counter.add(verifyStep(DraftSource::Mtp, SpeculationCounter::kDeepest + 1, 0, 1, 0)),
        Error);
    EXPECT_TRUE(counter.value().empty());
    EXPECT_EQ(counter.value().layers[0].steps, 0);
}

TEST(SpeculationCounter, LongSessionsForgetTheirFirstSteps) {
    SpeculationCounter counter(shape());
    const auto kept = static_cast<std::int64_t>(SpeculationCounter::kKeptSteps);
    for (std::int64_t i = 0; i < kept + 10; ++i) {
        counter.add(verifyStep(DraftSource::Mtp, 1, 1, i, 0));
    }
    const SpeculationValue value = counter.value();
    EXPECT_EQ(value.earlierSteps, 10);
    EXPECT_EQ(value.all.steps, kept + 10);
    ASSERT_EQ(value.steps.size(), SpeculationCounter::kKeptSteps);
    EXPECT_EQ(value.steps.front().ns, 10);
    EXPECT_EQ(value.steps.back().ns, kept + 9);
    EXPECT_EQ(value.costs[0].total.n, kept + 10);
    EXPECT_EQ(value.costs[0].total.medianN,
              static_cast<std::int64_t>(SpeculationCounter::kKeptTimes));
    EXPECT_EQ(value.costs[0].total.medianNs,
              static_cast<double>(kept + 10) - SpeculationCounter::kKeptTimes / 2.0 - 0.5);
}

TEST(SpeculationCounter, ACopyIsAStateToComeBackTo) {
    SpeculationCounter counter(shape());
    counter.add(verifyStep(DraftSource::Mtp, 1, 1, 1, 0));
    const SpeculationCounter before = counter;
    counter.add(verifyStep(DraftSource::Mtp, 1, 0, 1, 0));
    counter = before;
    EXPECT_EQ(counter.value().all.steps, 1);
    EXPECT_EQ(counter.value().all.rate, 1);
}

/// Steps of which every third is plain, with times that tell them apart.
std::vector<StepTrace> mixedSteps(int count) {
    std::vector<StepTrace> out;
    for (int i = 0; i < count; ++i) {
        StepTrace& step = out.emplace_back();
        step.timing.forwardNs = 1000 + 7 * (i % 1013);
        step.timing.draftNs = 10;
        RoutedToken token;
        token.phase = Phase::Decode;
        step.tokens.push_back(token);
        if (i % 3 == 0) continue;
        SpeculativeStep& verify = step.speculation.emplace();
        verify.source = i % 2 == 0 ? DraftSource::Mtp : DraftSource::Lookup;
        verify.drafts = {{1, 0.5F, 0.25F}, {2, 0.5F, 0.75F}};
        verify.accepted = i % 3;
        step.tokens.insert(step.tokens.end(), 2, token);
    }
    return out;
}

void expectSameCounts(const SpeculationValue& a, const SpeculationValue& b) {
    EXPECT_EQ(a.all.histogram, b.all.histogram);
    EXPECT_EQ(a.earlierSteps, b.earlierSteps);
    ASSERT_EQ(a.steps.size(), b.steps.size());
    for (std::size_t i = 0; i < a.steps.size(); ++i) ASSERT_EQ(a.steps[i].ns, b.steps[i].ns) << i;
    EXPECT_EQ(a.plain.n, b.plain.n);
    EXPECT_EQ(a.plain.medianNs, b.plain.medianNs);
    EXPECT_DOUBLE_EQ(a.plain.meanNs, b.plain.meanNs);
    EXPECT_DOUBLE_EQ(a.gain.gain, b.gain.gain);
    ASSERT_EQ(a.costs.size(), b.costs.size());
    for (std::size_t i = 0; i < a.costs.size(); ++i) {
        EXPECT_EQ(a.costs[i].total.n, b.costs[i].total.n);
        EXPECT_EQ(a.costs[i].total.medianNs, b.costs[i].total.medianNs);
    }
    EXPECT_EQ(a.judged, b.judged);
    EXPECT_DOUBLE_EQ(a.meanDraftProbability, b.meanDraftProbability);
}

/// Also beyond what is kept of times (4,096 of a kind) and of steps (65,536).
TEST(SpeculationCounter, PartsMergedAreTheWhole) {
    for (const auto& [first, second] :
         {std::pair(5, 40), std::pair(9000, 50), std::pair(50, 30000), std::pair(300, 110000)}) {
        SpeculationCounter whole, one, two;
        const std::vector<StepTrace> steps = mixedSteps(first + second);
        for (int i = 0; i < first + second; ++i) {
            const StepTrace& step = steps[static_cast<std::size_t>(i)];
            whole.add(step);
            (i < first ? one : two).add(step);
        }
        one.merge(two);
        expectSameCounts(one.value(), whole.value());
    }
}

}  // namespace
}  // namespace gatescope
