// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/error.h"
#include "tests/engine/analysis/comparison_traffic.h"

namespace gatescope {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using Kind = ComparisonVerdict::Kind;

ComparisonOptions quick() {
    ComparisonOptions options;
    options.permutations = 999;
    return options;
}

/// One answer that prefers an expert of the second layer.
ComparedRun plantedRun(const RoutingShape& shape, std::uint32_t seed, double probability) {
    StickyTraffic traffic(shape, seed);
    traffic.prefer(1, 13, probability);
    ComparedRun out;
    out.label = "planted";
    out.shape = shape;
    out.answers.push_back(stickyAnswer(traffic, shape, 200, 600));
    return out;
}

TEST(Comparison, APlantedDifferenceIsNamed) {
    const RoutingShape shape = relationShape(3, 16, 2, true);
    const PairComparison pair =
        comparePair(stickyRun(shape, 1, 1, 200, 600), plantedRun(shape, 2, 0.4), quick());
    EXPECT_EQ(pair.verdict.kind, Kind::Difference);
    EXPECT_EQ(pair.verdict.tokensA, 800);
    EXPECT_EQ(pair.verdict.layersTested, 3);
    EXPECT_EQ(pair.verdict.layersBeyond, 1);
    EXPECT_EQ(pair.verdict.strongestLayer, 3);  // row 1 of layers 1, 3, 5
    EXPECT_GT(pair.verdict.strongest, 0.03);
    EXPECT_DOUBLE_EQ(pair.verdict.smallestP, 1.0 / 1000);
    EXPECT_EQ(pair.unit, PermutedUnit::Block);
    EXPECT_EQ(pair.scheme.unitsA, 6 + 18);
    EXPECT_FALSE(pair.scheme.exact);
    EXPECT_EQ(pair.mtpScheme.unitsB, 25);

    ASSERT_EQ(pair.layers.size(), 4u);
    EXPECT_DOUBLE_EQ(pair.layers[1].pValue, 0.001);
    EXPECT_DOUBLE_EQ(pair.layers[1].holm, 0.003);
    EXPECT_GT(pair.layers[0].holm, 0.05);
    EXPECT_GT(pair.layers[1].stratified, pair.layers[1].nullP95);
    EXPECT_GT(pair.layers[1].nullP95, pair.layers[1].nullMean);

    ASSERT_FALSE(pair.experts.empty());
    const ShiftedExpert& first = pair.experts.front();
    EXPECT_EQ(first.layer, 3);
    EXPECT_EQ(first.expert, 13);
    EXPECT_LE(first.pAdjusted, 0.05);
    EXPECT_GT(first.score, 0);  // more in B
    EXPECT_GT(first.log2Ratio, 1);
    EXPECT_LT(first.log2Ratio95.low, first.log2Ratio);
    EXPECT_GT(first.log2Ratio95.high, first.log2Ratio);
    EXPECT_GT(first.log2Ratio95.low, 0);
    EXPECT_GE(pair.expertsBeyond, 1);
    EXPECT_LE(pair.expertsTested, 48);
    EXPECT_DOUBLE_EQ(pair.difference[1 * 16 + 13], first.log2Ratio);
}

TEST(Comparison, FiguresOfALayerAreThoseOfItsCounts) {
    const RoutingShape shape = relationShape(2, 16, 2, true);
    ComparedRun a = stickyRun(shape, 1, 1, 0, 400);
    const ComparedRun b = stickyRun(shape, 2, 1, 0, 300);
    a.answers[0].steps[5].tokens.push_back(a.answers[0].steps[5].tokens[0]);
    a.answers[0].steps[5].tokens[1].phase = Phase::Rejected;  // counts nowhere
    const PairComparison pair = comparePair(a, b, quick());
    for (const LayerComparison& layer : pair.layers) {
        const int row = pair.loadA->rowOfLayer(layer.layer);
        EXPECT_EQ(layer.tokensA, 400);
        EXPECT_EQ(layer.tokensB, 300);
        EXPECT_EQ(layer.divergence.countA, 800);
        EXPECT_EQ(pair.loadA->tokens(row, kAllTokens), 400);
        EXPECT_NEAR(layer.stratified, layer.divergence.weighted, 1e-8);  // one stratum
        EXPECT_NEAR(layer.maxVioA, pair.loadA->maxVio(row, kAllTokens), 1e-12);
        EXPECT_GT(layer.cosine, 0.8);
        EXPECT_LT(layer.totalVariation, 0.3);
        EXPECT_EQ(layer.selfA.tokensFirst + layer.selfA.tokensSecond, 400);
        EXPECT_EQ(layer.selfB.divergence.countA + layer.selfB.divergence.countB, 600);
    }
    double share = 0;
    for (const ShiftedExpert& expert : pair.experts) {
        if (expert.mtp) continue;
        EXPECT_NEAR(expert.shareA, static_cast<double>(expert.countA) / 800, 1e-12);
        share += expert.layer == 1 ? expert.shareB : 0;
    }
    EXPECT_NEAR(share, 1, 1e-9);
    ASSERT_EQ(pair.strata.size(), 6u);
    EXPECT_EQ(pair.strata[2].unitsA, 12);
    EXPECT_TRUE(pair.strata[2].tested);
    EXPECT_FALSE(pair.strata[0].tested);
}

TEST(Comparison, AnotherMixOfPromptAndAnswerIsNoDifference) {
    // Prefill and decode choose quite different experts; A and B do so alike, but A is mostly
    // prompt and B mostly answer.
    const RoutingShape shape = relationShape(2, 16, 2);
    const auto run = [&](std::uint32_t seed, int prompt, int generated) {
        StickyTraffic traffic(shape, seed);
        ComparedRun out;
        out.shape = shape;
        out.answers.push_back(stickyAnswer(traffic, shape, prompt, 0));
        traffic.shift(8);
        out.answers.push_back(stickyAnswer(traffic, shape, 0, generated));
        return out;
    };
    int called = 0;
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
        const PairComparison pair =
            comparePair(run(2 * seed, 480, 160), run(2 * seed + 1, 160, 480), quick());
        called += pair.verdict.kind == Kind::NoDifference ? 0 : 1;
        const LayerComparison& layer = pair.layers[0];
        EXPECT_GT(layer.divergence.corrected, 0.02);  // as counted they are apart
        EXPECT_LT(layer.stratified - layer.nullMean, layer.divergence.corrected / 2);
        EXPECT_LT(std::abs(pair.difference[0]), 1);
    }
    EXPECT_LE(called, 3);
}

TEST(Comparison, AStratumOfOneSideIsLeftOut) {
    const RoutingShape shape = relationShape(2, 16, 2);
    const PairComparison pair =
        comparePair(stickyRun(shape, 1, 1, 100, 0), stickyRun(shape, 2, 1, 90, 200), quick());
    EXPECT_EQ(pair.verdict.tokensB, 90);
    EXPECT_EQ(pair.loadB->tokens(0, kAllTokens), 90);
    EXPECT_EQ(pair.strata[2].tokensB, 200);
    EXPECT_FALSE(pair.strata[2].tested);
    const PairComparison none =
        comparePair(stickyRun(shape, 1, 1, 100, 0), stickyRun(shape, 2, 1, 0, 200), quick());
    EXPECT_EQ(none.verdict.kind, Kind::NoTokens);
    EXPECT_TRUE(std::isnan(none.layers[0].pValue));
    EXPECT_TRUE(std::isnan(none.layers[0].divergence.weighted));
    EXPECT_TRUE(none.experts.empty());
}

TEST(Comparison, SpecialTokensAndPhasesAreChosenByTheMask) {
    const RoutingShape shape = relationShape(2, 16, 2);
    ComparedRun a = stickyRun(shape, 1, 1, 100, 100);
    ComparedRun b = stickyRun(shape, 2, 1, 100, 100);
    for (ComparedRun* run : {&a, &b}) {
        for (std::size_t i = 0; i < 40; ++i) run->answers[0].steps[i].tokens[0].special = true;
    }
    ComparisonOptions options = quick();
    EXPECT_EQ(comparePair(a, b, options).verdict.tokensA, 160);
    options.phases |= kSpecialTokens;
    const PairComparison all = comparePair(a, b, options);
    EXPECT_EQ(all.verdict.tokensA, 200);
    EXPECT_EQ(all.strata[1].tokensA, 40);
    EXPECT_TRUE(all.strata[1].special);
    options.phases = 1U << static_cast<unsigned>(Phase::Decode);
    EXPECT_EQ(comparePair(a, b, options).verdict.tokensA, 100);
}

TEST(Comparison, TheCommonPrefixIsLeftOutWhenAsked) {
    const RoutingShape shape = relationShape(2, 16, 2, true);
    ComparedRun a = stickyRun(shape, 1, 2, 100, 50);
    ComparedRun b = stickyRun(shape, 2, 1, 100, 50);
    a.answers[1].promptIds[70] = 7777;
    b.answers[0].promptIds[60] = 8888;  // all three begin with the same 60
    ComparisonOptions options = quick();
    EXPECT_EQ(comparePair(a, b, options).prefixTokens, 0);
    options.afterCommonPrefix = true;
    const PairComparison pair = comparePair(a, b, options);
    EXPECT_EQ(pair.prefixTokens, 60);
    EXPECT_EQ(pair.strata[0].tokensA, 80);
    EXPECT_EQ(pair.strata[0].tokensB, 40);
    EXPECT_EQ(pair.strata[2].tokensB, 50);
    // The MTP position before the first different token has seen it.
    EXPECT_EQ(pair.strata[4].tokensB, 150 - 59);
}

TEST(Comparison, TheMtpLayerIsATestByItself) {
    const RoutingShape shape = relationShape(2, 16, 2, true);
    ComparedRun b = stickyRun(shape, 2, 1, 100, 300);
    for (StepTrace& step : b.answers[0].steps) {
        for (RoutedToken& token : step.mtp) token.routing.experts = {14, 15};
    }
    const PairComparison pair = comparePair(stickyRun(shape, 1, 1, 100, 300), b, quick());
    ASSERT_EQ(pair.layers.size(), 3u);
    EXPECT_TRUE(pair.layers[2].mtp);
    EXPECT_DOUBLE_EQ(pair.layers[2].pValue, 0.001);
    EXPECT_EQ(pair.layers[2].holm, pair.layers[2].pValue);
    EXPECT_EQ(pair.verdict.kind, Kind::NoDifference);
    EXPECT_EQ(pair.verdict.layersTested, 2);
    EXPECT_TRUE(pair.experts.front().mtp);
    EXPECT_EQ(pair.expertsBeyond, 0);
}

TEST(Comparison, WholeAnswersFromSixOnEitherSide) {
    const RoutingShape shape = relationShape(2, 16, 2, true);
    const PairComparison answers =
        comparePair(stickyRun(shape, 1, 6, 20, 30), stickyRun(shape, 2, 7, 20, 30), quick());
    EXPECT_EQ(answers.unit, PermutedUnit::Answer);
    EXPECT_EQ(answers.scheme.unitsA, 6);
    EXPECT_EQ(answers.scheme.unitsB, 7);
    EXPECT_EQ(answers.scheme.assignments, 1716);
    EXPECT_EQ(answers.strata[0].unitsB, 7);
    EXPECT_EQ(answers.strata[2].unitsB, 7);
    EXPECT_EQ(answers.selfSchemeA.unitsA, 3);
    EXPECT_TRUE(answers.selfSchemeA.exact);
    const PairComparison blocks =
        comparePair(stickyRun(shape, 1, 6, 20, 30), stickyRun(shape, 2, 5, 20, 30), quick());
    EXPECT_EQ(blocks.unit, PermutedUnit::Block);
    EXPECT_EQ(blocks.scheme.unitsB, 10);  // shorter than a block: one of its own
}

TEST(Comparison, FewUnitsAreTriedInFullAndSaidToBeFew) {
    const RoutingShape shape = relationShape(2, 16, 2);
    const PairComparison pair =
        comparePair(stickyRun(shape, 1, 1, 0, 64), stickyRun(shape, 2, 1, 0, 70), quick());
    EXPECT_TRUE(pair.scheme.exact);
    EXPECT_EQ(pair.scheme.permutations, 6);
    EXPECT_DOUBLE_EQ(pair.verdict.smallestP, 2.0 / 6);
    EXPECT_EQ(pair.verdict.kind, Kind::TooFewUnits);
    EXPECT_GE(pair.layers[0].pValue, 2.0 / 6);
    const PairComparison one =
        comparePair(stickyRun(shape, 1, 1, 0, 20), stickyRun(shape, 2, 1, 0, 20), quick());
    EXPECT_EQ(one.verdict.kind, Kind::TooFewUnits);
    EXPECT_TRUE(std::isnan(one.layers[0].pValue));
    EXPECT_TRUE(std::isnan(one.layers[0].selfA.pValue));
}

TEST(Comparison, ARunThatDiffersFromItselfIsSaidTo) {
    const RoutingShape shape = relationShape(2, 16, 2);
    StickyTraffic traffic(shape, 3);
    ComparedRun b;
    b.shape = shape;
    b.answers.push_back(stickyAnswer(traffic, shape, 0, 320));
    traffic.shift(8);
    b.answers.push_back(stickyAnswer(traffic, shape, 0, 320));
    const PairComparison pair = comparePair(stickyRun(shape, 1, 1, 0, 640), b, quick());
    EXPECT_EQ(pair.verdict.layersBeyond, 2);
    EXPECT_EQ(pair.verdict.selfLayersA, 0);
    EXPECT_EQ(pair.verdict.selfLayersB, 2);
    EXPECT_EQ(pair.verdict.kind, Kind::SelfDifference);
    EXPECT_LE(pair.layers[0].selfB.pValue, 0.01);
}

TEST(Comparison, LongRunsHaveLongerBlocks) {
    const RoutingShape shape = relationShape(1, 4, 1);
    ComparisonOptions options = quick();
    options.blockTokens = 4;
    options.permutations = 19;
    const PairComparison pair =
        comparePair(stickyRun(shape, 1, 1, 0, 9000), stickyRun(shape, 2, 1, 0, 100), options);
    EXPECT_EQ(pair.blockTokens, 32);
    EXPECT_EQ(pair.scheme.unitsA, 9000 / 32);
}

TEST(Comparison, LayersWithFewerChoices) {
    const RoutingShape shape = relationShape(2, 16, 2);
    ComparedRun b = stickyRun(shape, 2, 1, 100, 300);
    for (StepTrace& step : b.answers[0].steps) step.tokens[0].routing.experts[1] = kNoExpert;
    const PairComparison pair = comparePair(stickyRun(shape, 1, 1, 100, 300), b, quick());
    EXPECT_EQ(pair.layers[0].divergence.countB, 400);
    EXPECT_EQ(pair.layers[1].divergence.countB, 800);
    EXPECT_FALSE(std::isnan(pair.layers[0].pValue));
}

TEST(Comparison, ThreadsChangeNoNumberAndTheSeedDoes) {
    const RoutingShape shape = relationShape(3, 16, 2, true);
    const ComparedRun a = stickyRun(shape, 1, 1, 100, 300);
    const ComparedRun b = stickyRun(shape, 2, 1, 100, 300);
    ComparisonOptions options = quick();
    options.threads = 1;
    const PairComparison one = comparePair(a, b, options);
    options.threads = 3;
    const PairComparison three = comparePair(a, b, options);
    options.seed = 2;
    const PairComparison other = comparePair(a, b, options);
    bool differs = false;
    for (std::size_t i = 0; i < one.layers.size(); ++i) {
        EXPECT_EQ(one.layers[i].pValue, three.layers[i].pValue);
        EXPECT_EQ(one.layers[i].nullMean, three.layers[i].nullMean);
        EXPECT_EQ(one.layers[i].selfB.pValue, three.layers[i].selfB.pValue);
        EXPECT_EQ(one.layers[i].stratified, other.layers[i].stratified);
        differs = differs || one.layers[i].nullMean != other.layers[i].nullMean;
    }
    EXPECT_TRUE(differs);
    ASSERT_EQ(one.experts.size(), three.experts.size());
    for (std::size_t i = 0; i < one.experts.size(); ++i) {
        EXPECT_EQ(one.experts[i].expert, three.experts[i].expert);
        EXPECT_EQ(one.experts[i].pAdjusted, three.experts[i].pAdjusted);
        EXPECT_EQ(one.experts[i].log2Ratio95.low, three.experts[i].log2Ratio95.low);
    }
}

TEST(Comparison, SeveralRunsReportAsOneAndCanBeCancelled) {
    const RoutingShape shape = relationShape(2, 16, 2);
    const std::vector<ComparedRun> runs = {stickyRun(shape, 1, 1, 100, 200),
                                           stickyRun(shape, 2, 1, 100, 200),
                                           stickyRun(shape, 3, 1, 100, 200)};
    double last = 0;
    const Comparison all =
        compareRuns(runs, quick(), [&](std::string_view, std::uint64_t done, std::uint64_t total) {
            EXPECT_LE(done, total);
            const double share = static_cast<double>(done) / static_cast<double>(total);
            EXPECT_GE(share, last);
            last = share;
            return true;
        });
    EXPECT_EQ(last, 1);
    ASSERT_EQ(all.pairs.size(), 2u);
    EXPECT_EQ(all.pairs[1].a, 0);
    EXPECT_EQ(all.pairs[1].b, 2);
    EXPECT_EQ(all.figures.size(), 3u);
    EXPECT_THROW(compareRuns(runs, quick(), [](auto, auto, auto) { return false; }), Cancelled);
    EXPECT_THROW(
        compareRuns(runs, quick(), [](auto, std::uint64_t done, auto) { return done < 500; }),
        Cancelled);
    EXPECT_THROW(compareRuns({runs[0]}, quick()), Error);
    EXPECT_THROW(compareRuns(std::vector<ComparedRun>(9, runs[0]), quick()), Error);
}

TEST(Comparison, WhatDoesNotFitIsNamed) {
    const ComparedRun a = stickyRun(relationShape(2, 16, 2), 1, 1, 10, 10);
    const auto comparing = [&](const ComparedRun& b, ComparisonOptions options = quick()) {
        return [&a, b, options] { comparePair(a, b, options); };
    };
    EXPECT_THAT(comparing(stickyRun(relationShape(2, 8, 2), 2, 1, 10, 10)),
                ThrowsMessage<Error>(HasSubstr("run 1 with run 2: 16 and 8 experts")));
    EXPECT_THAT(comparing(stickyRun(relationShape(3, 16, 2), 2, 1, 10, 10)),
                ThrowsMessage<Error>(HasSubstr("not the same (2 and 3)")));
    ComparedRun bad = a;
    bad.label = "B";
    bad.answers[0].steps[3].tokens[0].routing.experts[0] = 16;
    EXPECT_THAT(comparing(bad),
                ThrowsMessage<Error>(HasSubstr("run B: answer 1: position 3: routing: expert 16")));
    bad.answers[0].steps[3].tokens[0].routing.experts.pop_back();
    EXPECT_THROW(comparing(bad)(), Error);
    ComparedRun draft = a;
    draft.answers[0].steps[2].mtp.push_back(routedToken({1, 2}, 2, Phase::Draft));
    EXPECT_THAT(comparing(draft), ThrowsMessage<Error>(HasSubstr("without an MTP layer")));
    ComparisonOptions options;
    options.blockTokens = 0;
    EXPECT_THROW(comparing(a, options)(), Error);
    options = {};
    options.permutations = 0;
    EXPECT_THROW(comparing(a, options)(), Error);
    options = {};
    options.alpha = 1;
    EXPECT_THROW(comparing(a, options)(), Error);
}

}  // namespace
}  // namespace gatescope
