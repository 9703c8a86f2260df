// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "engine/error.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

constexpr float kLogitsLimit = 1e-4f;  // float32 class of tests/golden/README.md

class EveryModel : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Golden, EveryModel,
                         testing::Values("v3-mini", "v3-fp8", "v3-noqlora", "v2-lite"), modelLabel);

TEST_P(EveryModel, ExpandedPathMatchesGoldenLogits) {
    GoldenModel model(GetParam());
    for (const auto* prompt : {"p1", "p7", "p40", "p150"}) {
        const auto logits =
            allLogits(model.decoder, model.tokens(prompt), AttentionPath::Expanded, 512);
        EXPECT_LE(maxDifference(logits, model.array<float>(std::string(prompt) + ".logits")),
                  kLogitsLimit)
            << prompt;
    }
}

TEST_P(EveryModel, AbsorbedPathTokenByTokenMatchesGoldenLogits) {
    GoldenModel model(GetParam());
    const auto logits = allLogits(model.decoder, model.tokens("p150"), AttentionPath::Absorbed, 1);
    EXPECT_LE(maxDifference(logits, model.array<float>("p150.logits")), kLogitsLimit);
}

// Drafts are exact only because a position's result does not depend on what is computed with it.
TEST_P(EveryModel, ResultDoesNotDependOnHowManyTokensShareAPass) {
    GoldenModel model(GetParam());
    const auto tokens = model.tokens("p150");
    for (const auto path : {AttentionPath::Expanded, AttentionPath::Absorbed}) {
        const auto one = allLogits(model.decoder, tokens, path, 1);
        for (const std::size_t step : {2u, 3u, 7u, 64u, 150u})
            EXPECT_EQ(maxDifference(one, allLogits(model.decoder, tokens, path, step)), 0)
                << "passes of " << step;
    }
}

TEST_P(EveryModel, ResultDoesNotDependOnThreads) {
    GoldenModel single(GetParam(), 1);
    const auto tokens = single.tokens("p40");
    const auto expected = allLogits(single.decoder, tokens, AttentionPath::Expanded, 512);
    for (const int threads : {2, 7}) {
        GoldenModel model(GetParam(), threads);
        EXPECT_EQ(
            maxDifference(expected, allLogits(model.decoder, tokens, AttentionPath::Expanded, 512)),
            0)
            << threads << " threads";
    }
}

TEST_P(EveryModel, TruncatingAndGoingOnGivesWhatAFreshRunGives) {
    GoldenModel model(GetParam());
    const auto tokens = model.tokens("p40");
    const auto expected = allLogits(model.decoder, tokens, AttentionPath::Absorbed, 1);
    model.decoder.truncate(25);
    const std::vector<std::int32_t> others(9, tokens[3]);
    model.decoder.forward(others, {});
    model.decoder.truncate(25);
    std::vector<float> logits;
    for (std::size_t t = 25; t < tokens.size(); ++t) {
        model.decoder.forward({&tokens[t], 1}, {AttentionPath::Absorbed, LogitsOf::Last});
        logits.insert(logits.end(), model.decoder.logits().begin(), model.decoder.logits().end());
    }
    const auto vocab = static_cast<std::ptrdiff_t>(model.decoder.config().vocabSize);
    EXPECT_EQ(maxDifference(logits, {expected.begin() + 25 * vocab, expected.end()}), 0);
}

class RoutingKeeper final : public ForwardObserver {
  public:
    bool wantsRouting() const override { return true; }
    void onRouting(const LayerRouting& r) override {
        const auto n = static_cast<std::size_t>(r.tokens);
        const auto k = n * static_cast<std::size_t>(r.topK);
        layers[r.layer] = {{r.ids, r.ids + k},
                           {r.weights, r.weights + k},
                           {r.scores, r.scores + n * static_cast<std::size_t>(r.experts)}};
    }
    struct Layer {
        std::vector<std::int32_t> ids;
        std::vector<float> weights, scores;
    };
    std::map<int, Layer> layers;
};

TEST_P(EveryModel, RoutingMatchesGolden) {
    GoldenModel model(GetParam());
    RoutingKeeper keeper;
    allLogits(model.decoder, model.tokens("p150"), AttentionPath::Expanded, 512, &keeper);
    ASSERT_EQ(keeper.layers.size(), model.decoder.routingShape().layers.size());
    for (const auto& [layer, got] : keeper.layers) {
        const auto key = "p150.moe." + std::to_string(layer);
        EXPECT_EQ(got.ids, model.array<std::int32_t>(key + ".ids")) << layer;
        EXPECT_LE(maxDifference(got.weights, model.array<float>(key + ".weights")), 1e-5f);
        EXPECT_LE(maxDifference(got.scores, model.array<float>(key + ".scores")), 1e-5f);
    }
}

class MtpModel : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, MtpModel, testing::Values("v3-mini", "v3-fp8"), modelLabel);

TEST_P(MtpModel, PairsMatchGolden) {
    GoldenModel model(GetParam());
    for (const auto* prompt : {"p7", "p40", "p150"}) {
        const auto tokens = model.tokens(prompt);
        allLogits(model.decoder, tokens, AttentionPath::Expanded, 512);
        RoutingKeeper keeper;
        model.decoder.mtp()->truncate(0);
        const auto pairs = static_cast<std::int64_t>(tokens.size()) - 1;
        model.decoder.mtp()->forward(model.decoder.states().slice(0, pairs),
                                     std::span(tokens).subspan(1),
                                     {AttentionPath::Expanded, LogitsOf::All, {}, &keeper, {}});
        const auto got = model.decoder.mtp()->logits();
        const std::string p = prompt;
        EXPECT_LE(maxDifference({got.begin(), got.end()}, model.array<float>(p + ".mtp.logits")),
                  kLogitsLimit)
            << prompt;
        EXPECT_EQ(keeper.layers.at(model.decoder.config().mtpLayer()).ids,
                  model.array<std::int32_t>(p + ".mtp.moe.ids"));
    }
}

TEST(Decoder, RefusesTokensOutsideTheVocabulary) {
    GoldenModel model("v3-mini");
    const std::vector<std::int32_t> tokens{1, 512};
    EXPECT_THROW(model.decoder.forward(tokens, {}), Error);
    const std::vector<std::int32_t> negative{-1};
    EXPECT_THROW(model.decoder.forward(negative, {}), Error);
    EXPECT_EQ(model.decoder.length(), 0);
}

TEST(Decoder, AFullContextIsRefusedAndNothingIsLost) {
    const Checkpoint checkpoint(goldenDir() / "ckpt" / "v3-mini");
    CpuDevice device(1);
    Decoder decoder(checkpoint, device, {.maxContext = 10});
    const std::vector<std::int32_t> tokens(8, 5);
    decoder.forward(tokens, {});
    EXPECT_THROW(decoder.forward(tokens, {}), Error);
    EXPECT_EQ(decoder.length(), 8);
}

TEST(Decoder, StopActsBeforeTheNextLayerAndLeavesTheCacheAsItWas) {
    GoldenModel model("v3-mini");
    const std::vector<std::int32_t> tokens{1, 2, 3};
    model.decoder.forward(tokens, {});
    std::stop_source stop;
    stop.request_stop();
    EXPECT_THROW(
        model.decoder.forward(
            tokens, {AttentionPath::Absorbed, LogitsOf::Last, {}, nullptr, stop.get_token()}),
        Cancelled);
    EXPECT_EQ(model.decoder.length(), 3);
}

TEST(Decoder, CacheBytesFollowTheDefinition) {
    GoldenModel model("v3-mini");
    const std::vector<std::int32_t> tokens(300, 7);
    model.decoder.forward(tokens, {});
    const auto use = model.decoder.cacheUse();
    EXPECT_EQ(use.bytesPerPosition, (64 + 16) * 4 * 4);
    EXPECT_EQ(use.used, 300 * use.bytesPerPosition);
    EXPECT_EQ(use.reserved, 512 * use.bytesPerPosition);
    EXPECT_EQ(use.expandedBytesPerPosition, 4 * (32 + 16 + 32) * 4 * 4);
}

}  // namespace
}  // namespace gatescope::test
