// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/aligned_comparison.h"

#include <gmock/gmock.h>

#include <cmath>

#include "engine/error.h"

namespace gatescope {
namespace {

RoutingShape shape(int topK = 2) {
    RoutingShape out;
    out.layers = {1, 3};
    out.totalLayers = 4;
    out.experts = 16;
    out.topK = topK;
    return out;
}

RoutedToken routed(std::int32_t position, std::int32_t id, std::vector<std::uint16_t> experts,
                   Phase phase = Phase::Prefill) {
    RoutedToken out;
    out.position = position;
    out.tokenId = id;
    out.phase = phase;
    out.routing.weights.assign(experts.size(), 1.0F / static_cast<float>(experts.size() / 2));
    out.routing.experts = std::move(experts);
    out.routing.margins = {0.25F, 0.5F};
    out.routing.biasDecided = {0, 0};
    return out;
}

TokenEvent written(std::int32_t position, std::int32_t id, float probability,
                   std::vector<TokenEvent::Alternative> alternatives = {}) {
    TokenEvent out;
    out.position = position;
    out.id = id;
    out.rawProbability = probability;
    out.alternatives = std::move(alternatives);
    return out;
}

/// Prompt 10 11, answer 20 21; routed at positions 0 to 2.
ComparedRun run(std::string label) {
    ComparedRun out;
    out.label = std::move(label);
    out.shape = shape();
    ComparedAnswer& answer = out.answers.emplace_back();
    answer.promptIds = {10, 11};
    answer.tokens = {written(2, 20, 0.5F), written(3, 21, 0.5F)};
    StepTrace& prefill = answer.steps.emplace_back();
    prefill.tokens = {routed(0, 10, {1, 2, 3, 4}), routed(1, 11, {1, 2, 3, 4})};
    StepTrace& decode = answer.steps.emplace_back();
    decode.tokens = {routed(2, 20, {1, 2, 3, 4}, Phase::Decode)};
    return out;
}

TEST(AlignedComparison, ARunWithItself) {
    const AlignedComparison same = alignedComparison(run("A"), run("B"));
    EXPECT_EQ(same.n, 3);
    EXPECT_EQ(same.saturation, 1);
    EXPECT_EQ(same.massMoved, 0);
    EXPECT_EQ(same.mass, 1);
    EXPECT_EQ(same.identicalTokens, 3);
    EXPECT_EQ(same.chance, 2.0 / 16);
    EXPECT_FALSE(same.first);
    EXPECT_EQ(same.answerTokens, 2);
    EXPECT_EQ(same.equalTokens, 2);
    EXPECT_TRUE(same.texts.empty());
    EXPECT_TRUE(std::isnan(same.meanKl));
}

TEST(AlignedComparison, FindsTheFirstDifferenceByPositionThenLayer) {
    const ComparedRun a = run("A");
    ComparedRun b = run("B");
    RoutedToken& second = b.answers[0].steps[0].tokens[1];
    second.routing.experts = {1, 2, 3, 9};  // layer 3: one of two
    second.routing.margins = {0.75F, 0.125F};
    b.answers[0].steps[1].tokens[0].routing.experts = {5, 6, 4, 3};  // layer 1: both
    const AlignedComparison value = alignedComparison(a, b);
    ASSERT_TRUE(value.first);
    EXPECT_EQ(value.first->position, 1);
    EXPECT_EQ(value.first->tokenId, 11);
    EXPECT_EQ(value.first->layer, 3);
    EXPECT_EQ(value.first->marginA, 0.5F);
    EXPECT_EQ(value.first->marginB, 0.125F);
    EXPECT_EQ(value.identicalTokens, 1);
    EXPECT_DOUBLE_EQ(value.layers[0].saturation, 2.0 / 3);
    EXPECT_EQ(value.layers[0].changedTokens, 1);
    EXPECT_DOUBLE_EQ(value.layers[1].saturation, 2.5 / 3);  // another order is no difference
    EXPECT_DOUBLE_EQ(value.layers[1].massMoved, 0.5 / 3);
    EXPECT_EQ(value.tokens[0].firstLayer, -1);
    EXPECT_EQ(value.tokens[1].share, 0.75);
    EXPECT_EQ(value.tokens[2].firstLayer, 1);
}

TEST(AlignedComparison, EndsWhereTheTokensPart) {
    ComparedRun a = run("A");
    ComparedRun b = run("B");
    a.answers[0].tokens[0] = written(2, 20, 0.5F, {{20, 0.5F}, {30, 0.375F}});
    b.answers[0].tokens = {written(2, 30, 0.25F)};
    b.answers[0].steps[1].tokens[0].tokenId = 30;
    const AlignedComparison value = alignedComparison(a, b);
    EXPECT_EQ(value.n, 2);  // the prompt
    EXPECT_EQ(value.answerTokens, 2);
    EXPECT_EQ(value.equalTokens, 0);
    ASSERT_EQ(value.texts.size(), 1U);
    const TextDivergence& text = value.texts[0];
    EXPECT_EQ(text.seq, 0);
    EXPECT_EQ(text.position, 2);
    EXPECT_EQ(text.idA, 20);
    EXPECT_EQ(text.idB, 30);
    EXPECT_EQ(text.probabilityA, 0.5F);
    EXPECT_EQ(text.otherInA, 0.375F);
    EXPECT_TRUE(std::isnan(text.otherInB));
}

TEST(AlignedComparison, AnEarlierEndIsADifferenceOfTheText) {
    ComparedRun b = run("B");
    b.answers[0].tokens.pop_back();
    const AlignedComparison value = alignedComparison(run("A"), b);
    ASSERT_EQ(value.texts.size(), 1U);
    EXPECT_EQ(value.texts[0].seq, 1);
    EXPECT_EQ(value.texts[0].idB, -1);
    EXPECT_EQ(value.texts[0].position, 3);
    EXPECT_TRUE(std::isnan(value.texts[0].probabilityB));
    EXPECT_EQ(value.n, 3);
}

TEST(AlignedComparison, RejectedAndMissingPositionsAreLeftOut) {
    ComparedRun a = run("A");
    a.answers[0].steps[1].tokens[0].phase = Phase::Rejected;
    ComparedRun b = run("B");
    b.answers[0].steps[0].tokens.erase(b.answers[0].steps[0].tokens.begin());  // cached there
    const AlignedComparison value = alignedComparison(a, b);
    ASSERT_EQ(value.n, 1);
    EXPECT_EQ(value.tokens[0].position, 1);
}

TEST(AlignedComparison, RunsThatChooseFewerExperts) {
    ComparedRun b = run("B");
    b.shape = shape(1);
    for (StepTrace& step : b.answers[0].steps) {
        for (RoutedToken& token : step.tokens) {
            token.routing.experts = {1, 3};
            token.routing.weights = {1.0F, 1.0F};
        }
    }
    const AlignedComparison value = alignedComparison(run("A"), b);
    EXPECT_EQ(value.shape.topK, 2);
    EXPECT_EQ(value.saturation, 0.5);
    EXPECT_EQ(value.massMoved, 0.5);
}

TEST(AlignedComparison, TakesInTheNextTokensDistributions) {
    const NextTokenDifference next[] = {
        {0, 0, 0.25, 5, 5}, {0, 2, 0.75, 5, 6}, {0, 9, 3.0, 1, 1}, {1, 1, 3.0, 1, 1}};
    const AlignedComparison value = alignedComparison(run("A"), run("B"), next);
    EXPECT_EQ(value.klTokens, 2);
    EXPECT_EQ(value.meanKl, 0.5);
    EXPECT_EQ(value.maxKl, 0.75);
    EXPECT_EQ(value.topChanged, 1);
    EXPECT_TRUE(std::isnan(value.tokens[1].next.kl));
}

TEST(AlignedComparison, RefusesOtherModelsAndRoutingThatDoesNotFit) {
    ComparedRun b = run("B");
    b.shape.experts = 8;
    EXPECT_THROW(alignedComparison(run("A"), b), Error);
    b = run("B");
    b.answers[0].steps[0].tokens[0].routing.experts.pop_back();
    EXPECT_THROW(alignedComparison(run("A"), b), Error);
}

}  // namespace
}  // namespace gatescope
