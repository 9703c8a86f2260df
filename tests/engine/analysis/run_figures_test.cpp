// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "engine/analysis/comparison.h"
#include "engine/error.h"
#include "tests/engine/analysis/relation_traffic.h"

namespace gatescope {
namespace {

RoutedToken token(std::vector<std::uint16_t> experts, Phase phase, float margin,
                  std::uint32_t decided = 0) {
    RoutedToken out = routedToken(std::move(experts), 2, phase);
    out.routing.margins.assign(out.routing.margins.size(), margin);
    out.routing.biasDecided[0] = decided;
    return out;
}

ComparedRun smallRun() {
    ComparedRun run;
    run.label = "A";
    run.shape = relationShape(2, 4, 2);
    run.shape.hasBias = true;
    ComparedAnswer answer;
    answer.promptIds = {1, 2, 3};
    StepTrace prefill;
    prefill.tokens = {token({0, 1, 0, 1}, Phase::Prefill, 0.1F, 3),
                      token({0, 2, 2, 3}, Phase::Prefill, 0.2F)};
    prefill.tokens.push_back(token({3, 2, 3, 2}, Phase::Prefill, 9));
    prefill.tokens.back().special = true;
    prefill.cache.positions = 3;
    prefill.cache.used = 300;
    StepTrace verify;
    verify.tokens = {token({0, 1, 0, 1}, Phase::Decode, 0.4F),
                     token({2, 3, 2, 3}, Phase::Rejected, 7)};
    verify.speculation.emplace();
    verify.speculation->drafts.resize(2);
    verify.speculation->accepted = 1;
    verify.cache.positions = 5;
    verify.cache.used = 500;
    verify.cache.dtype = "BF16";
    answer.steps = {prefill, verify};
    answer.tokens.resize(2);
    answer.tokens[0].rawProbability = 0.5F;
    answer.tokens[1].rawProbability = 0.125F;
    answer.result.emplace();
    answer.result->timing = {0.5, 0.25, 0, 3, 0, 2};
    run.answers.push_back(answer);
    return run;
}

TEST(RunFigures, ByHand) {
    const RunFigures figures = runFigures(smallRun(), kDefaultPhases);
    EXPECT_EQ(figures.answers, 1);
    EXPECT_EQ(figures.promptTokens, 3);
    EXPECT_EQ(figures.answerTokens, 2);
    EXPECT_EQ(figures.routedTokens, 3);  // the special and the rejected one left out
    EXPECT_EQ(figures.rejectedTokens, 1);
    // Layer 1: 3, 2, 1, 0 choices; layer 3: 2, 2, 1, 1 of 6 each.
    EXPECT_NEAR(figures.maxVio, (3 * 4 / 6.0 - 1 + 2 * 4 / 6.0 - 1) / 2, 1e-12);
    EXPECT_GT(figures.maxVioNull, 0.2);
    EXPECT_NEAR(figures.medianMargin, 0.2, 1e-7);  // 0.1 0.1 0.2 0.2 0.4 0.4
    EXPECT_NEAR(figures.biasDecided, 2.0 / 12, 1e-12);
    EXPECT_EQ(figures.speculation.drafted, 2);
    EXPECT_EQ(figures.speculation.accepted, 1);
    EXPECT_EQ(figures.prefillTokensPerSecond, 6);
    EXPECT_EQ(figures.decodeTokensPerSecond, 8);
    EXPECT_EQ(figures.cachePositions, 5);
    EXPECT_EQ(figures.cacheUsed, 500);
    EXPECT_EQ(figures.cacheDtype, "BF16");
    EXPECT_NEAR(figures.meanLogProbability, std::log(0.25), 1e-9);
    EXPECT_EQ(runFigures(smallRun(), kDefaultPhases | kSpecialTokens).routedTokens, 4);
    EXPECT_EQ(runFigures(smallRun(), 1U << static_cast<unsigned>(Phase::Decode)).routedTokens, 1);
}

TEST(RunFigures, WhatWasNotMeasuredIsNotANumber) {
    ComparedRun run;
    run.shape = relationShape(2, 4, 2);
    const RunFigures figures = runFigures(run, kDefaultPhases);
    EXPECT_EQ(figures.routedTokens, 0);
    for (const double value :
         {figures.maxVio, figures.maxVioNull, figures.cv, figures.medianMargin, figures.biasDecided,
          figures.speculation.rate, figures.prefillTokensPerSecond, figures.decodeTokensPerSecond,
          figures.meanLogProbability}) {
        EXPECT_TRUE(std::isnan(value));
    }
    run = smallRun();
    run.shape.hasBias = false;
    EXPECT_TRUE(std::isnan(runFigures(run, kDefaultPhases).biasDecided));
}

TEST(RunFigures, DamageIsNamed) {
    ComparedRun run = smallRun();
    run.answers[0].steps[1].tokens[0].routing.experts[0] = 4;
    EXPECT_THROW(runFigures(run, kDefaultPhases), Error);
    run = smallRun();
    run.answers[0].steps[1].speculation->accepted = 3;
    EXPECT_THROW(runFigures(run, kDefaultPhases), Error);
    run = smallRun();
    run.answers[0].steps[1].tokens[0].routing.margins.pop_back();
    EXPECT_THROW(runFigures(run, kDefaultPhases), Error);
}

}  // namespace
}  // namespace gatescope
