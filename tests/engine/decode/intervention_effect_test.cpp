// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/intervention_effect.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/decode/generator.h"
#include "engine/error.h"
#include "engine/text/tokenizer.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

Interventions oneExpertEverywhere(const GoldenModel& model) {
    Interventions all;
    for (const int layer : model.decoder.routingShape().layers)
        all.layers.push_back({.layer = layer, .topK = 1});
    return all;
}

struct Ignore final : GenerationSink {};

TEST(InterventionEffect, WithoutInterventionsNothingAtAllDiffers) {
    GoldenModel model("v3-mini");
    const auto effect = compareIntervention(model.decoder, nullptr, model.tokens("p40"),
                                            model.tokens("p7"), {}, {.maxNewTokens = 12});
    ASSERT_EQ(effect.positions.size(), 47u);
    for (const auto& position : effect.positions) {
        EXPECT_EQ(position.kl, 0);
        EXPECT_EQ(position.topBefore, position.topAfter);
        if (position.position < 46) {
            EXPECT_EQ(position.nextBefore, position.nextAfter);
        }
    }
    EXPECT_EQ(effect.meanKl, 0);
    EXPECT_EQ(effect.maxKl, 0);
    EXPECT_EQ(effect.topChanged, 0);
    for (const auto& layer : effect.layers) EXPECT_EQ(layer.changedShare, 0);
    EXPECT_EQ(effect.idsBefore, effect.idsAfter);
    EXPECT_EQ(effect.idsBefore.size(), 12u);
    EXPECT_EQ(effect.firstDifference, -1);
    EXPECT_TRUE(effect.description.empty());
}

// Worked out once more from plain passes: long double, probabilities instead of logarithms.
TEST(InterventionEffect, DivergenceIsThatOfTheTwoDistributions) {
    GoldenModel model("v3-mini");
    const auto tokens = model.tokens("p40");
    const auto interventions = oneExpertEverywhere(model);
    const auto effect =
        compareIntervention(model.decoder, nullptr, tokens, {}, interventions, {.maxNewTokens = 0});
    const auto before = allLogits(model.decoder, tokens, AttentionPath::Expanded, 64);
    model.decoder.setInterventions(interventions);
    const auto after = allLogits(model.decoder, tokens, AttentionPath::Expanded, 64);
    const auto vocab = static_cast<std::size_t>(model.decoder.config().vocabSize);
    const auto softmax = [&](const std::vector<float>& logits, std::size_t row) {
        std::vector<long double> p(vocab);
        long double sum = 0;
        for (std::size_t i = 0; i < vocab; ++i)
            sum += p[i] = std::exp(static_cast<long double>(logits[row * vocab + i]));
        for (auto& x : p) x /= sum;
        return p;
    };
    ASSERT_EQ(effect.positions.size(), tokens.size());
    double sum = 0;
    double most = -1;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
        const auto p = softmax(before, t);
        const auto q = softmax(after, t);
        long double kl = 0;
        for (std::size_t i = 0; i < vocab; ++i) kl += p[i] * std::log(p[i] / q[i]);
        const auto& got = effect.positions[t];
        EXPECT_EQ(got.position, static_cast<int>(t));
        EXPECT_EQ(got.token, tokens[t]);
        EXPECT_NEAR(got.kl, static_cast<double>(kl), 1e-12) << t;
        EXPECT_EQ(got.topAfter, std::max_element(q.begin(), q.end()) - q.begin());
        if (t + 1 < tokens.size()) {
            const auto next = static_cast<std::size_t>(tokens[t + 1]);
            EXPECT_NEAR(got.nextBefore, static_cast<double>(p[next]), 1e-12);
            EXPECT_NEAR(got.nextAfter, static_cast<double>(q[next]), 1e-12);
        } else {
            EXPECT_TRUE(std::isnan(got.nextBefore));
        }
        sum += got.kl;
        most = std::max(most, got.kl);
    }
    EXPECT_GT(effect.meanKl, 0);
    EXPECT_NEAR(effect.meanKl, sum / static_cast<double>(tokens.size()), 1e-15);
    EXPECT_EQ(effect.maxKl, most);
    EXPECT_EQ(effect.positions[static_cast<std::size_t>(effect.maxKlPosition)].kl, most);
}

TEST(InterventionEffect, ChangedChoicesBeginWhereTheInterventionIs) {
    GoldenModel model("v3-mini");
    const int layer = model.decoder.routingShape().layers[1];
    LayerIntervention off{.layer = layer};
    off.forced = {2};
    const auto effect = compareIntervention(model.decoder, nullptr, model.tokens("p150"), {},
                                            {{}, {off}}, {.maxNewTokens = 0});
    ASSERT_EQ(effect.layers.size(), 3u);
    EXPECT_EQ(effect.layers[0].changedShare, 0);
    EXPECT_FALSE(effect.layers[0].intervened);
    EXPECT_TRUE(effect.layers[1].intervened);
    EXPECT_GT(effect.layers[1].changedShare, 0);
    EXPECT_LE(effect.layers[1].changedShare, 1);
    EXPECT_GT(effect.layers[2].changedShare, 0) << "what follows changes too";
    EXPECT_FALSE(effect.layers[2].intervened);
    for (const auto& one : effect.layers) EXPECT_EQ(one.choices, 600);
}

TEST(InterventionEffect, TheTextsAreThoseOfPlainRuns) {
    GoldenModel model("v3-mini");
    const auto prompt = model.tokens("p40");
    const auto interventions = oneExpertEverywhere(model);
    const auto effect = compareIntervention(model.decoder, nullptr, prompt, {}, interventions,
                                            {.maxNewTokens = 16});
    Ignore sink;
    GenerationParams params;
    params.maxNewTokens = 16;
    EXPECT_EQ(effect.idsBefore, generate(model.decoder, nullptr, prompt, params, sink).ids);
    params.interventions = std::make_shared<const Interventions>(interventions);
    EXPECT_EQ(effect.idsAfter, generate(model.decoder, nullptr, prompt, params, sink).ids);
    ASSERT_GE(effect.firstDifference, 0);
    const auto at = static_cast<std::size_t>(effect.firstDifference);
    EXPECT_NE(effect.idsBefore[at], effect.idsAfter[at]);
    EXPECT_TRUE(std::equal(effect.idsBefore.begin(),
                           effect.idsBefore.begin() + effect.firstDifference,
                           effect.idsAfter.begin()));
}

TEST(InterventionEffect, OnlyTheLastPositionsAreComparedWhereMemoryIsShort) {
    GoldenModel model("v3-mini");
    const auto tokens = model.tokens("p150");
    const auto all = compareIntervention(model.decoder, nullptr, tokens, {},
                                         oneExpertEverywhere(model), {.maxNewTokens = 0});
    const auto some =
        compareIntervention(model.decoder, nullptr, tokens, {}, oneExpertEverywhere(model),
                            {.maxNewTokens = 0, .maxPositions = 20});
    ASSERT_EQ(some.positions.size(), 20u);
    EXPECT_EQ(some.positions.front().position, 130);
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(some.positions[i].kl, all.positions[130 + i].kl);
    EXPECT_EQ(some.layers[0].choices, 150);
}

TEST(InterventionEffect, LeavesTheDecoderUntouchedAlsoWhenItIsStoppedOrRefused) {
    GoldenModel model("v3-mini");
    const auto prompt = model.tokens("p40");
    const auto interventions = oneExpertEverywhere(model);
    EXPECT_THROW(compareIntervention(model.decoder, nullptr, {}, {}, interventions), Error);
    EXPECT_THROW(
        compareIntervention(model.decoder, nullptr, prompt, {}, {{}, {{.layer = 0, .topK = 1}}}),
        Error);
    std::stop_source stop;
    stop.request_stop();
    EXPECT_THROW(compareIntervention(model.decoder, nullptr, prompt, {}, interventions, {}, {},
                                     stop.get_token()),
                 Cancelled);
    // Whenever progress says no.
    std::set<std::string> doing;
    for (std::uint64_t refused = 0; refused < 208; refused += 40) {
        EXPECT_THROW(
            compareIntervention(model.decoder, nullptr, prompt, {}, interventions, {},
                                [&](std::string_view what, std::uint64_t done, std::uint64_t all) {
                                    doing.insert(std::string(what));
                                    EXPECT_EQ(all, 208u);
                                    return done <= refused;
                                }),
            Cancelled)
            << refused;
        EXPECT_TRUE(model.decoder.interventions().empty());
        EXPECT_EQ(model.decoder.length(), 0);
    }
    EXPECT_EQ(doing.size(), 2u);
}

TEST(InterventionEffect, TextPartsAtAWholeCharacter) {
    Checkpoint checkpoint(GATESCOPE_DEMO_MODEL_DIR);
    Tokenizer tokenizer(GATESCOPE_DEMO_MODEL_DIR);
    CpuDevice device(2);
    Decoder decoder(checkpoint, device);
    Interventions all;
    for (const int layer : decoder.routingShape().layers)
        all.layers.push_back({.layer = layer, .topK = 1, .topkGroups = 1});
    const auto prompt = tokenizer.encode("Once upon a time");
    const auto effect =
        compareIntervention(decoder, &tokenizer, prompt, {}, all, {.maxNewTokens = 24});
    EXPECT_EQ(effect.positions.front().bytes, "Once");
    EXPECT_EQ(effect.textBefore.substr(0, effect.commonBytes),
              effect.textAfter.substr(0, effect.commonBytes));
    EXPECT_NE(effect.textBefore, effect.textAfter);
    EXPECT_EQ(effect.description, "top-k 1 in all MoE layers; 1 group kept in all MoE layers");
}

}  // namespace
}  // namespace gatescope::test
