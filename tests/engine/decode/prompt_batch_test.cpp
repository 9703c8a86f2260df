// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/prompt_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/decode/conversation.h"
#include "engine/error.h"

namespace gatescope {
namespace {

using testing::HasSubstr;

PromptSet smallSet() {
    return parsePromptSet(
        "{\"prompt\": \"What is 12 + 30?\", \"domain\": \"arithmetic\"}\n"
        "{\"prompt\": \"What is 12 + 31?\", \"domain\": \"arithmetic\"}\n"
        "{\"prompt\": \"What is a token?\", \"domain\": \"facts\"}\n",
        "small.jsonl");
}

GenerationParams params() {
    GenerationParams params;
    params.maxNewTokens = 12;
    params.speculate = Speculate::Mtp;
    return params;
}

/// Keeps what came, and may ask for a stop.
class Keeper final : public PromptBatchSink {
  public:
    struct Kept {
        std::size_t promptTokens = 0;
        std::int64_t prefilled = 0;
        int half = -1;
        std::string domain;
        std::string text;
        std::vector<std::int32_t> ids;
    };
    void onPrompt(const PromptRun& run) override {
        Kept kept;
        kept.promptTokens = run.ids.size();
        kept.half = run.prompt->half;
        kept.domain = run.domain;
        answers.push_back(kept);
        EXPECT_EQ(run.index + 1, static_cast<int>(answers.size()));
        EXPECT_EQ(run.total, 3);
    }
    void onToken(const PromptRun& /*run*/, const TokenEvent& token,
                 std::string_view text) override {
        answers.back().text += text;
        answers.back().ids.push_back(token.id);
        if (stopAfter > 0 && --stopAfter == 0) stop.request_stop();
    }
    void onStep(const PromptRun& /*run*/, const StepTrace& step) override {
        for (const RoutedToken& token : step.tokens) {
            if (token.phase == Phase::Prefill) ++answers.back().prefilled;
        }
    }
    void onAnswer(const PromptRun& /*run*/, const GenerationResult& result) override {
        ids.push_back(result.ids);
    }

    std::vector<Kept> answers;
    std::vector<std::vector<std::int32_t>> ids;
    std::stop_source stop;
    int stopAfter = 0;
};

TEST(PromptBatch, EveryPromptIsRoutedInFullAndAnsweredAsInAChatOfItsOwn) {
    const auto model = LoadedModel::load(GATESCOPE_DEMO_MODEL_DIR);
    const PromptSet set = smallSet();
    Keeper keeper;
    const PromptBatchResult result =
        runPromptBatch(*model, set, params(), keeper, keeper.stop.get_token());
    EXPECT_EQ(result.answered, 3);
    EXPECT_EQ(result.total, 3);
    EXPECT_FALSE(result.cancelled);
    ASSERT_EQ(keeper.answers.size(), 3u);
    std::int64_t prompts = 0;
    std::int64_t answers = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        // The second prompt begins as the first one does, and yet none of it comes from the cache.
        EXPECT_EQ(keeper.answers[i].prefilled,
                  static_cast<std::int64_t>(keeper.answers[i].promptTokens));
        prompts += keeper.answers[i].prefilled;
        answers += static_cast<std::int64_t>(keeper.ids[i].size());
        Conversation conversation(*model);
        GenerationSink sink;
        const auto alone =
            conversation.answer(conversation.prepare(set.prompts[i].prompt), params(), sink, {});
        EXPECT_EQ(alone.ids, keeper.ids[i]);
        EXPECT_EQ(keeper.answers[i].ids, keeper.ids[i]);
        EXPECT_EQ(alone.text, keeper.answers[i].text);
    }
    EXPECT_EQ(result.promptTokens, prompts);
    EXPECT_EQ(result.answerTokens, answers);
    EXPECT_EQ(keeper.answers[0].domain, "arithmetic");
    EXPECT_EQ(keeper.answers[1].half, 1);
    EXPECT_EQ(keeper.answers[2].domain, "facts");
}

TEST(PromptBatch, AStopEndsItWithinAnAnswer) {
    const auto model = LoadedModel::load(GATESCOPE_DEMO_MODEL_DIR);
    Keeper keeper;
    keeper.stopAfter = 15;  // in the second answer
    const PromptBatchResult result =
        runPromptBatch(*model, smallSet(), params(), keeper, keeper.stop.get_token());
    EXPECT_TRUE(result.cancelled);
    EXPECT_EQ(result.answered, 1);
    EXPECT_EQ(keeper.answers.size(), 2u);
}

TEST(PromptBatch, APromptThatDoesNotFitIsNamed) {
    const auto model = LoadedModel::load(GATESCOPE_DEMO_MODEL_DIR);
    std::string longText;
    for (int i = 0; i < 600; ++i) longText += " 7";
    const PromptSet set =
        parsePromptSet("\n{\"prompt\": \"" + longText + "\", \"domain\": \"x\"}\n", "long.jsonl");
    Keeper keeper;
    try {
        runPromptBatch(*model, set, params(), keeper);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("long.jsonl: line 2: "));
        EXPECT_THAT(error.what(), HasSubstr("context"));
    }
}

}  // namespace
}  // namespace gatescope
