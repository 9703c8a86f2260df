// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "engine/decode/generator.h"
#include "engine/trace/routing_codec.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

struct Keeper final : GenerationSink {
    void onToken(const TokenEvent& token, std::string_view) override {
        probabilities.push_back(token.rawProbability);
    }
    void onStep(const StepTrace& step) override { steps.push_back(step); }
    std::vector<float> probabilities;
    std::vector<StepTrace> steps;
};

std::shared_ptr<const Interventions> everywhere(
    const GoldenModel& model, const std::function<void(LayerIntervention&)>& change) {
    auto all = std::make_shared<Interventions>();
    auto layers = model.decoder.routingShape().layers;
    layers.push_back(model.decoder.routingShape().mtpLayer);
    for (const int layer : layers) {
        if (layer < 0) continue;
        all->layers.push_back({.layer = layer});
        change(all->layers.back());
    }
    return all;
}

/// Several changes at once.
std::shared_ptr<const Interventions> mixed(const GoldenModel& model) {
    return everywhere(model, [](LayerIntervention& layer) {
        layer.off = {3};
        layer.forced = {1};
        layer.biasOff = true;
        layer.topK = 2;
    });
}

GenerationParams sampled(int tokens) {
    GenerationParams params;
    params.maxNewTokens = tokens;
    params.sampling = {.temperature = 1.1f, .topP = 0.95f, .seed = 7};
    return params;
}

TEST(IntervenedGeneration, RecordingNeverChangesAToken) {
    GoldenModel model("v3-mini");
    auto params = sampled(40);
    params.interventions = mixed(model);
    params.keepScores = true;
    Keeper with, without;
    const auto a = generate(model.decoder, nullptr, model.tokens("p40"), params, with);
    model.decoder.truncate(0);
    params.record = false;
    const auto b = generate(model.decoder, nullptr, model.tokens("p40"), params, without);
    EXPECT_EQ(a.ids, b.ids);
    EXPECT_EQ(with.probabilities, without.probabilities);
}

TEST(IntervenedGeneration, DraftsNeverChangeAToken) {
    GoldenModel model("v3-mini");
    for (const float temperature : {0.0f, 0.9f}) {
        GenerationParams params;
        params.maxNewTokens = 30;
        params.sampling = {.temperature = temperature, .seed = 3};
        params.interventions = mixed(model);
        Keeper sink;
        const auto plain = generate(model.decoder, nullptr, model.tokens("p7"), params, sink);
        params.speculate = Speculate::Mtp;
        const auto drafted = generate(model.decoder, nullptr, model.tokens("p7"), params, sink);
        EXPECT_GT(drafted.speculation.drafted, 0);
        EXPECT_EQ(plain.ids, drafted.ids);
    }
}

TEST(IntervenedGeneration, TheNextRunWithoutThemIsTheUntouchedOne) {
    GoldenModel model("v3-mini");
    Keeper sink;
    auto params = sampled(30);
    const auto before = generate(model.decoder, nullptr, model.tokens("p40"), params, sink);
    params.interventions = mixed(model);
    const auto changed = generate(model.decoder, nullptr, model.tokens("p40"), params, sink);
    EXPECT_EQ(changed.timing.reusedTokens, 0) << "another routing's cache is no prefix";
    EXPECT_NE(before.ids, changed.ids);
    const auto again = generate(model.decoder, nullptr, model.tokens("p40"), params, sink);
    EXPECT_EQ(again.timing.reusedTokens, 39) << "its own is";
    EXPECT_EQ(changed.ids, again.ids);
    params.interventions = nullptr;
    const auto after = generate(model.decoder, nullptr, model.tokens("p40"), params, sink);
    EXPECT_EQ(after.timing.reusedTokens, 0);
    EXPECT_EQ(before.ids, after.ids);
}

TEST(IntervenedGeneration, TracesHoldTheChoicesOfTheRunAndFitItsShape) {
    GoldenModel model("v3-mini");
    auto params = sampled(12);
    params.speculate = Speculate::Mtp;
    params.interventions = mixed(model);
    Keeper sink;
    generate(model.decoder, nullptr, model.tokens("p40"), params, sink);
    const auto shape = model.decoder.runShape();
    EXPECT_EQ(shape.topK, 2);
    std::vector<int> counts(static_cast<std::size_t>(shape.experts));
    std::size_t positions = 0;
    for (const auto& step : sink.steps)
        for (const auto& token : step.tokens) {
            const auto& routing = token.routing;
            ASSERT_EQ(routing.experts.size(), shape.layers.size() * 2);
            for (std::size_t row = 0; row < shape.layers.size(); ++row) {
                EXPECT_EQ(routing.experts[2 * row], 1) << "forced, first";
                EXPECT_NE(routing.experts[2 * row + 1], 3);
                EXPECT_EQ(routing.biasDecided[row], 0u) << "there is no bias to decide anything";
                EXPECT_GT(routing.margins[row], 0);
                EXPECT_LT(routing.margins[row], 2);
            }
            for (const auto expert : routing.experts) ++counts[expert];
            ++positions;
        }
    int sum = 0;
    for (const int count : counts) sum += count;
    EXPECT_EQ(static_cast<std::size_t>(sum), positions * shape.layers.size() * 2);
    EXPECT_EQ(counts[3], 0);
}

TEST(IntervenedGeneration, LayersThatChooseFewerLeaveSlotsEmpty) {
    GoldenModel model("v3-mini");
    const auto& shape = model.decoder.routingShape();
    auto all = std::make_shared<Interventions>();
    all->layers.push_back({.layer = shape.layers[0], .topK = 1});
    all->layers.push_back({.layer = shape.layers[2], .topK = shape.topK + 1});
    auto params = sampled(8);
    params.interventions = all;
    params.speculate = Speculate::Mtp;
    Keeper sink;
    generate(model.decoder, nullptr, model.tokens("p40"), params, sink);
    const auto k = static_cast<std::size_t>(model.decoder.runShape().topK);
    ASSERT_EQ(k, static_cast<std::size_t>(shape.topK) + 1);
    const std::size_t used[] = {1, k - 1, k};
    const auto check = [&](const TokenRouting& routing, std::size_t row, std::size_t filled) {
        for (std::size_t j = 0; j < k; ++j) {
            EXPECT_EQ(routing.experts[row * k + j] == kNoExpert, j >= filled);
            EXPECT_EQ(routing.weights[row * k + j] == 0, j >= filled);
        }
    };
    int distinct = 0;
    for (const auto& step : sink.steps) {
        for (const auto& token : step.tokens) {
            ASSERT_EQ(token.routing.experts.size(), 3 * k);
            for (std::size_t row = 0; row < 3; ++row) check(token.routing, row, used[row]);
            const auto blob = encodeRouting(token.routing);
            const auto back =
                decodeRouting({reinterpret_cast<const char*>(blob.data()), blob.size()});
            EXPECT_EQ(back.experts, token.routing.experts);
            EXPECT_EQ(back.weights, token.routing.weights);
        }
        for (const auto& token : step.mtp) check(token.routing, 0, k - 1);
        if (!step.speculation) continue;
        distinct = 0;
        for (std::size_t row = 0; row < 3; ++row) {
            std::set<int> experts;
            for (const auto& token : step.tokens)
                for (std::size_t j = 0; j < used[row]; ++j)
                    experts.insert(token.routing.experts[row * k + j]);
            distinct += static_cast<int>(experts.size());
        }
        const auto& counted = step.speculation->distinctExperts;
        EXPECT_EQ(std::accumulate(counted.begin(), counted.end(), 0), distinct)
            << "an empty slot is no expert";
    }
    EXPECT_GT(distinct, 0);
}

// Forced and switched-off experts are no work of the bias: with the model's own bias in force, the
// bits say what it decides among the rest.
TEST(IntervenedGeneration, BiasDecidedBitsAreTheBiassAlone) {
    GoldenModel model("v3-mini");
    auto params = sampled(4);
    params.interventions = everywhere(model, [](LayerIntervention& layer) { layer.forced = {0}; });
    Keeper sink;
    generate(model.decoder, nullptr, model.tokens("p150"), params, sink);
    int decided = 0;
    for (const auto& token : sink.steps.front().tokens)
        for (const auto bits : token.routing.biasDecided) {
            EXPECT_EQ(bits & 1u, 0u) << "the first choice is the forced expert";
            decided += bits != 0 ? 1 : 0;
        }
    EXPECT_GT(decided, 0);
}

TEST(IntervenedGeneration, AMarginIsUndefinedWhereTheBoundaryIsForced) {
    GoldenModel model("v3-mini");
    auto params = sampled(2);
    params.interventions = everywhere(model, [](LayerIntervention& layer) {
        layer.forced = {0};
        layer.topK = 1;
    });
    Keeper sink;
    generate(model.decoder, nullptr, model.tokens("p7"), params, sink);
    for (const auto& token : sink.steps.front().tokens)
        for (const float margin : token.routing.margins) EXPECT_TRUE(std::isnan(margin));
}

}  // namespace
}  // namespace gatescope::test
