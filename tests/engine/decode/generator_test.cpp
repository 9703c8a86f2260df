// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/generator.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/analysis/choice.h"
#include "engine/error.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

struct Keeper final : GenerationSink {
    void onToken(const TokenEvent& token, std::string_view text) override {
        tokens.push_back(token);
        shown += text;
    }
    void onStep(const StepTrace& step) override { steps.push_back(step); }
    std::vector<TokenEvent> tokens;
    std::vector<StepTrace> steps;
    std::string shown;
};

nlohmann::json goldenJson(const std::string& model) {
    return nlohmann::json::parse(std::ifstream(goldenDir() / "golden" / model / "golden.json"));
}

GenerationParams greedy(int tokens, Speculate speculate = Speculate::Off) {
    GenerationParams params;
    params.maxNewTokens = tokens;
    params.speculate = speculate;
    return params;
}

class EveryModel : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, EveryModel,
                         testing::Values("v3-mini", "v3-fp8", "v3-noqlora", "v2-lite"), modelLabel);

TEST_P(EveryModel, GreedyTokensMatchGolden) {
    GoldenModel model(GetParam());
    const auto golden = goldenJson(GetParam());
    for (const auto& [prompt, expected] : golden["prompts"].items()) {
        model.decoder.truncate(0);
        Keeper sink;
        const auto result =
            generate(model.decoder, nullptr, model.tokens(prompt), greedy(24), sink);
        EXPECT_EQ(result.ids, expected["greedy"].get<std::vector<std::int32_t>>()) << prompt;
        EXPECT_EQ(result.finish, Finish::Length);
    }
}

TEST_P(EveryModel, RecordingNeverChangesAToken) {
    GoldenModel model(GetParam());
    auto params = greedy(40);
    params.sampling = {.temperature = 1.1f, .topP = 0.95f, .seed = 7};
    Keeper with, without;
    params.keepScores = true;
    const auto a = generate(model.decoder, nullptr, model.tokens("p40"), params, with);
    model.decoder.truncate(0);
    params.record = false;
    const auto b = generate(model.decoder, nullptr, model.tokens("p40"), params, without);
    EXPECT_EQ(a.ids, b.ids);
    ASSERT_EQ(with.tokens.size(), without.tokens.size());
    for (std::size_t i = 0; i < with.tokens.size(); ++i)
        EXPECT_EQ(with.tokens[i].rawProbability, without.tokens[i].rawProbability);
}

TEST_P(EveryModel, AnAnswerGivenItsOwnBeginningEndsAsItDid) {
    GoldenModel model(GetParam());
    const auto prompt = model.tokens("p40");
    Keeper whole;
    const auto expected = generate(model.decoder, nullptr, prompt, greedy(24), whole);
    for (const std::size_t given : {1U, 9U, 24U}) {
        Keeper sink;
        const auto result = generate(model.decoder, nullptr, prompt, greedy(24), sink, {}, nullptr,
                                     std::span(whole.tokens).first(given));
        EXPECT_EQ(result.ids, expected.ids) << given;
        EXPECT_EQ(result.timing.decodeTokens, std::max(0, 23 - static_cast<int>(given)));
        ASSERT_EQ(sink.tokens.size(), whole.tokens.size());
        for (std::size_t i = 0; i < sink.tokens.size(); ++i) {
            EXPECT_EQ(sink.tokens[i].position, whole.tokens[i].position);
            EXPECT_EQ(sink.tokens[i].step == kGivenStep, i < given);
            EXPECT_NEAR(sink.tokens[i].rawProbability, whole.tokens[i].rawProbability, 1e-4);
        }
    }
}

TEST_P(EveryModel, AnAnswerGivenAnotherTokenGoesOnFromThat) {
    GoldenModel model(GetParam());
    const auto prompt = model.tokens("p40");
    Keeper whole;
    auto params = greedy(12);
    params.alternatives = 2;
    generate(model.decoder, nullptr, prompt, params, whole);
    std::vector<TokenEvent> given(whole.tokens.begin(), whole.tokens.begin() + 5);
    const auto& second = given.back().alternatives;
    ASSERT_EQ(second.size(), 2U);
    given.back().id = second[0].id == given.back().id ? second[1].id : second[0].id;

    Keeper branched, longer;
    const auto result =
        generate(model.decoder, nullptr, prompt, params, branched, {}, nullptr, given);
    std::vector<std::int32_t> context(prompt.begin(), prompt.end());
    for (const TokenEvent& token : given) context.push_back(token.id);
    model.decoder.truncate(0);
    const auto rest = generate(model.decoder, nullptr, context, greedy(7), longer);
    EXPECT_EQ(std::vector<std::int32_t>(result.ids.begin() + 5, result.ids.end()), rest.ids);
    EXPECT_EQ(result.ids[4], given.back().id);
}

class MtpModels : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, MtpModels, testing::Values("v3-mini", "v3-fp8"), modelLabel);

TEST_P(MtpModels, DraftsAndTheirFateMatchGolden) {
    GoldenModel model(GetParam());
    const auto golden = goldenJson(GetParam());
    for (const auto& [prompt, expected] : golden["prompts"].items()) {
        model.decoder.truncate(0);
        Keeper sink;
        const auto result = generate(model.decoder, nullptr, model.tokens(prompt),
                                     greedy(24, Speculate::Mtp), sink);
        EXPECT_EQ(result.ids, expected["greedy"].get<std::vector<std::int32_t>>()) << prompt;
        const auto& speculative = expected["speculative"];
        EXPECT_EQ(result.speculation.drafted, speculative["drafted"].get<int>()) << prompt;
        EXPECT_EQ(result.speculation.accepted, speculative["accepted"].get<int>()) << prompt;
        EXPECT_EQ(result.speculation.mainForwards,
                  speculative["main_forwards_incl_prefill"].get<int>());
        std::size_t i = 0;
        for (const auto& step : sink.steps) {
            if (!step.speculation) continue;
            const auto& want = speculative["steps"].at(i++);
            ASSERT_EQ(step.speculation->drafted(), 1);
            EXPECT_EQ(step.speculation->drafts[0].id, want["draft"].get<int>()) << prompt << i;
            EXPECT_EQ(step.speculation->accepted, want["accepted"].get<bool>()) << prompt << i;
        }
        EXPECT_EQ(i, speculative["steps"].size());
    }
}

TEST_P(MtpModels, DraftsNeverChangeSampledText) {
    GoldenModel model(GetParam());
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        auto params = greedy(30);
        params.sampling = {
            .temperature = 0.9f, .topK = 40, .topP = 0.9f, .repetitionPenalty = 1.2f, .seed = seed};
        Keeper sink;
        model.decoder.truncate(0);
        const auto plain = generate(model.decoder, nullptr, model.tokens("p7"), params, sink);
        params.speculate = Speculate::Mtp;
        model.decoder.truncate(0);
        const auto drafted = generate(model.decoder, nullptr, model.tokens("p7"), params, sink);
        EXPECT_EQ(plain.ids, drafted.ids) << "seed " << seed;
    }
}

TEST_P(MtpModels, TheMtpCacheHoldsAPairForEveryToken) {
    GoldenModel model(GetParam());
    Keeper sink;
    generate(model.decoder, nullptr, model.tokens("p40"), greedy(24, Speculate::Mtp), sink);
    std::vector<int> positions;
    for (const auto& step : sink.steps)
        for (const auto& pair : step.mtp) positions.push_back(pair.position);
    for (std::size_t i = 0; i < positions.size(); ++i) EXPECT_EQ(positions[i], static_cast<int>(i));
    EXPECT_GE(positions.size(), 40u + 22u);
}

// What a second turn reuses from the cache must not show in its tokens.
TEST_P(MtpModels, ReusedPrefixGivesTheSameDraftsAsAFreshRun) {
    GoldenModel model(GetParam());
    const auto prompt = model.tokens("p150");
    const std::vector<std::int32_t> begin(prompt.begin(), prompt.begin() + 60);
    for (const auto first : {Speculate::Off, Speculate::Mtp}) {
        Keeper ignored, reused, fresh;
        model.decoder.truncate(0);
        generate(model.decoder, nullptr, begin, greedy(5, first), ignored);
        const auto a = generate(model.decoder, nullptr, prompt, greedy(20, Speculate::Mtp), reused);
        // Without pairs of the first run there is nothing to draft from: all is computed anew.
        EXPECT_EQ(a.timing.reusedTokens > 0, first == Speculate::Mtp);
        model.decoder.truncate(0);
        const auto b = generate(model.decoder, nullptr, prompt, greedy(20, Speculate::Mtp), fresh);
        EXPECT_EQ(a.ids, b.ids);
        EXPECT_EQ(a.speculation.accepted, b.speculation.accepted);
    }
}

TEST(Generator, EveryRoutedPositionIsRecordedOnceWithTheChoiceTheModelMade) {
    GoldenModel model("v3-mini");
    auto params = greedy(24, Speculate::Mtp);
    params.keepScores = true;
    Keeper sink;
    const auto result = generate(model.decoder, nullptr, model.tokens("p40"), params, sink);
    const auto& shape = model.decoder.routingShape();
    std::map<int, int> outputs;
    int rejected = 0;
    for (const auto& step : sink.steps) {
        for (const auto& token : step.tokens) {
            rejected += token.phase == Phase::Rejected;
            if (token.phase != Phase::Rejected) ++outputs[token.position];
            ASSERT_EQ(token.routing.rows(), 3);
            for (std::size_t row = 0; row < 3; ++row) {
                const auto& scores = *token.routing.scores;
                const auto& bias = model.decoder.weights().routerBias(shape.layers[row]);
                const auto ranking =
                    rankChoices(shape, std::span(scores).subspan(row * 16, 16), bias);
                EXPECT_EQ(token.routing.margins[row], ranking.margin);
                for (std::size_t j = 0; j < 4; ++j) {
                    const auto expert = token.routing.experts[row * 4 + j];
                    EXPECT_EQ(expert, ranking.order[j]);
                    EXPECT_EQ((token.routing.biasDecided[row] >> j & 1) != 0,
                              ranking.experts[expert].biasDecided);
                }
            }
        }
    }
    EXPECT_EQ(rejected, result.speculation.drafted - result.speculation.accepted);
    for (const auto& [position, count] : outputs) EXPECT_EQ(count, 1) << position;
}

TEST(Generator, StopTokensEndTheAnswerAndAreItsLastId) {
    GoldenModel model("v3-mini");
    const auto all = goldenJson("v3-mini")["prompts"]["p7"]["greedy"];
    auto params = greedy(24, Speculate::Mtp);
    params.stopTokens = {all[5].get<std::int32_t>()};
    Keeper sink;
    const auto result = generate(model.decoder, nullptr, model.tokens("p7"), params, sink);
    EXPECT_EQ(result.finish, Finish::Stop);
    EXPECT_EQ(result.ids.back(), params.stopTokens[0]);
    EXPECT_LE(result.ids.size(), 6u);
}

TEST(Generator, AFullContextEndsTheAnswer) {
    const Checkpoint checkpoint(goldenDir() / "ckpt" / "v3-mini");
    CpuDevice device(1);
    Decoder decoder(checkpoint, device, {.maxContext = 12});
    Keeper sink;
    const std::vector<std::int32_t> prompt{0, 5, 6, 7};
    for (const auto speculate : {Speculate::Off, Speculate::Mtp}) {
        decoder.truncate(0);
        const auto result = generate(decoder, nullptr, prompt, greedy(100, speculate), sink);
        EXPECT_EQ(result.finish, Finish::Context);
        EXPECT_EQ(result.ids.size(), 12u - 4u + 1u);
    }
}

TEST(Generator, CancellingKeepsWhatWasMadeAndTheModelGoesOn) {
    struct StopAfter final : GenerationSink {
        void onToken(const TokenEvent& token, std::string_view) override {
            ids.push_back(token.id);
            if (ids.size() == 7) stop.request_stop();
        }
        std::stop_source stop;
        std::vector<std::int32_t> ids;
    };
    GoldenModel model("v3-mini");
    StopAfter sink;
    const auto result = generate(model.decoder, nullptr, model.tokens("p7"), greedy(24), sink,
                                 sink.stop.get_token());
    EXPECT_EQ(result.finish, Finish::Cancelled);
    EXPECT_EQ(result.ids, sink.ids);
    EXPECT_GT(result.timing.decodeSeconds, 0);
    EXPECT_GT(result.timing.prefillSeconds, 0);
    Keeper again;
    EXPECT_EQ(generate(model.decoder, nullptr, model.tokens("p7"), greedy(24), again).ids,
              goldenJson("v3-mini")["prompts"]["p7"]["greedy"].get<std::vector<std::int32_t>>());
}

TEST(Generator, RefusesMoreTokensGivenThanTheAnswerMayHave) {
    GoldenModel model("v3-mini");
    Keeper sink;
    const std::vector<TokenEvent> given(5);
    EXPECT_THROW(
        generate(model.decoder, nullptr, model.tokens("p40"), greedy(4), sink, {}, nullptr, given),
        Error);
    EXPECT_TRUE(sink.tokens.empty());
}

TEST(Generator, RefusesWhatCannotBeDone) {
    GoldenModel model("v2-lite");
    Keeper sink;
    EXPECT_THROW(generate(model.decoder, nullptr, {}, greedy(1), sink), Error);
    const std::vector<std::int32_t> prompt{0};
    EXPECT_THROW(generate(model.decoder, nullptr, prompt, greedy(1, Speculate::Mtp), sink), Error);
    const std::vector<std::int32_t> tooLong(3000, 1);
    EXPECT_THROW(generate(model.decoder, nullptr, tooLong, greedy(1), sink), Error);
}

}  // namespace
}  // namespace gatescope::test
