// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/forced_run.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "engine/decode/generator.h"
#include "engine/decode/intervention_effect.h"
#include "engine/error.h"
#include "engine/model/loaded_model.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

struct Steps final : GenerationSink {
    void onStep(const StepTrace& step) override { steps.push_back(step); }
    void onToken(const TokenEvent& token, std::string_view) override { tokens.push_back(token); }
    std::vector<StepTrace> steps;
    std::vector<TokenEvent> tokens;
};

std::unique_ptr<LoadedModel> goldenModel() {
    return LoadedModel::load(goldenDir() / "ckpt" / "v3-mini");
}

/// A recorded answer of 24 tokens to a golden prompt.
ComparedRun recorded(Decoder& decoder, std::vector<std::int32_t> prompt, Speculate speculate) {
    GenerationParams params;
    params.maxNewTokens = 24;
    params.speculate = speculate;
    Steps sink;
    decoder.truncate(0);
    generate(decoder, nullptr, prompt, params, sink);
    ComparedRun run;
    run.label = "recorded";
    run.shape = decoder.runShape();
    ComparedAnswer& answer = run.answers.emplace_back();
    answer.promptIds = std::move(prompt);
    answer.tokens = std::move(sink.tokens);
    answer.steps = std::move(sink.steps);
    return run;
}

std::shared_ptr<const Interventions> oneExpert(const RoutingShape& shape) {
    auto all = std::make_shared<Interventions>();
    for (const int layer : shape.layers) all->layers.push_back({.layer = layer, .topK = 1});
    return all;
}

ForcedSide side(std::string label, LoadedModel& model,
                std::shared_ptr<const Interventions> interventions = nullptr) {
    return {std::move(label), [&model]() -> LoadedModel& { return model; },
            std::move(interventions)};
}

TEST(ForcedRun, RoutesAsTheAnswerWasRouted) {
    GoldenModel model("v3-mini");
    for (const Speculate speculate : {Speculate::Off, Speculate::Mtp}) {
        const ComparedRun run = recorded(model.decoder, model.tokens("p40"), speculate);
        std::map<int, RoutedToken> wanted;
        for (const StepTrace& step : run.answers[0].steps) {
            for (const RoutedToken& token : step.tokens) {
                if (token.phase != Phase::Rejected) wanted[token.position] = token;
            }
        }
        std::vector<std::int32_t> ids;
        std::vector<Phase> phases;
        for (const auto& [position, token] : wanted) {
            ids.push_back(token.tokenId);
            phases.push_back(token.phase);
        }
        const auto again = forcedRun(model.decoder, {ids, phases});
        ASSERT_EQ(again.size(), wanted.size());
        for (const RoutedToken& token : again) {
            const RoutedToken& before = wanted.at(token.position);
            EXPECT_EQ(token.tokenId, before.tokenId);
            EXPECT_EQ(token.phase, before.phase);
            EXPECT_EQ(token.routing.experts, before.routing.experts);
            EXPECT_EQ(token.routing.weights, before.routing.weights);  // to the bit
            EXPECT_EQ(token.routing.margins, before.routing.margins);
        }
    }
}

TEST(ForcedRun, HandsOutLogitsFromAPositionOnAndLeavesTheDecoderEmpty) {
    GoldenModel model("v3-mini");
    const auto ids = model.tokens("p40");
    const auto all = allLogits(model.decoder, ids, AttentionPath::Expanded, 64);
    const auto vocab = static_cast<std::size_t>(model.decoder.config().vocabSize);
    ForcedRequest request;
    request.ids = ids;
    request.firstWithLogits = 37;
    std::vector<int> positions;
    const auto routed = forcedRun(
        model.decoder, request, {}, [&](std::int32_t position, std::span<const float> logits) {
            positions.push_back(position);
            ASSERT_EQ(logits.size(), vocab);
            for (std::size_t i = 0; i < vocab; ++i) {
                ASSERT_EQ(logits[i], all[static_cast<std::size_t>(position) * vocab + i]);
            }
        });
    EXPECT_EQ(positions, (std::vector<int>{37, 38, 39}));
    EXPECT_EQ(routed.size(), 40U);
    EXPECT_EQ(model.decoder.length(), 0);
    const std::vector<std::int32_t> unknown = {1, 1 << 30};
    request.ids = unknown;
    EXPECT_THROW(forcedRun(model.decoder, request), Error);
    EXPECT_EQ(model.decoder.length(), 0);
}

TEST(ForcedComparison, TheSameModelTwiceDoesNotDiffer) {
    const auto model = goldenModel();
    const GoldenModel golden("v3-mini");
    const ComparedRun text = recorded(model->decoder(), golden.tokens("p40"), Speculate::Mtp);
    const auto value = forcedComparison(text, side("A", *model), side("B", *model));
    EXPECT_EQ(value.n, 64);
    EXPECT_EQ(value.klTokens, 64);
    EXPECT_EQ(value.maxKl, 0);
    EXPECT_EQ(value.topChanged, 0);
    EXPECT_EQ(value.saturation, 1);
    EXPECT_EQ(value.massMoved, 0);
}

// The same figures by the code of the Interventions dock.
TEST(ForcedComparison, AgreesWithTheEffectOfAnIntervention) {
    const auto model = goldenModel();
    const GoldenModel golden("v3-mini");
    ComparedRun text;
    text.label = "text";
    text.shape = model->routingShape();
    text.answers.emplace_back().promptIds = golden.tokens("p40");
    const auto changed = oneExpert(model->routingShape());
    const auto value =
        forcedComparison(text, side("A", *model), side("B", *model, changed), {.maxPositions = 9});
    const auto effect = compareIntervention(model->decoder(), nullptr, golden.tokens("p40"), {},
                                            *changed, {.maxNewTokens = 0, .maxPositions = 9});
    EXPECT_EQ(value.n, 40);
    ASSERT_EQ(value.klTokens, 9);
    EXPECT_DOUBLE_EQ(value.meanKl, effect.meanKl);
    EXPECT_DOUBLE_EQ(value.maxKl, effect.maxKl);
    EXPECT_EQ(value.topChanged, effect.topChanged);
    EXPECT_GT(value.meanKl, 0);
    ASSERT_TRUE(value.first);
    EXPECT_EQ(value.first->layer, model->routingShape().layers.front());
    EXPECT_LE(value.layers.front().saturation, 1.0 / model->routingShape().topK + 1e-12);
    EXPECT_TRUE(model->decoder().interventions().empty());
}

TEST(ForcedComparison, StopsAndRefuses) {
    const auto model = goldenModel();
    ComparedRun text;
    text.answers.emplace_back().promptIds = {1, 2, 3};
    const Progress no = [](std::string_view, std::uint64_t, std::uint64_t) { return false; };
    EXPECT_THROW(forcedComparison(text, side("A", *model), side("B", *model), {}, no), Cancelled);
    const auto other = LoadedModel::load(goldenDir() / "ckpt" / "v2-lite");
    if (other->config().vocabSize == model->config().vocabSize) {
        EXPECT_THROW(forcedComparison(text, side("A", *model), side("B", *other)), Error);
    }
}

TEST(KeptLogits, GivesRowsBackInAnyOrder) {
    KeptLogits kept(3);
    kept.append(std::vector<float>{1, 2, 3});
    kept.append(std::vector<float>{4, 5, 6});
    EXPECT_EQ(kept.rows(), 2);
    EXPECT_EQ(kept.row(1), (std::vector<float>{4, 5, 6}));
    EXPECT_EQ(kept.row(0), (std::vector<float>{1, 2, 3}));
    kept.append(std::vector<float>{7, 8, 9});
    EXPECT_EQ(kept.row(2), (std::vector<float>{7, 8, 9}));
    EXPECT_THROW(kept.row(3), Error);
    EXPECT_THROW(kept.append(std::vector<float>{1}), Error);
}

}  // namespace
}  // namespace gatescope::test
