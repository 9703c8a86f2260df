// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/conversation.h"

#include <gtest/gtest.h>

#include "engine/decode/generator.h"
#include "engine/error.h"
#include "engine/model/decoder.h"

namespace gatescope {
namespace {

std::unique_ptr<LoadedModel> demo(int maxContext = 0) {
    LoadOptions options;
    options.maxContext = maxContext;
    return LoadedModel::load(GATESCOPE_DEMO_MODEL_DIR, options);
}

GenerationParams greedy(int tokens = 128) {
    GenerationParams params;
    params.maxNewTokens = tokens;
    return params;
}

TEST(Conversation, TheDemoModelAnswers) {
    const auto model = demo();
    Conversation conversation(*model);
    GenerationSink sink;
    const auto prepared = conversation.prepare("What is 347 + 285?");
    const auto result = conversation.answer(prepared, greedy(), sink, {});
    EXPECT_EQ(result.finish, Finish::Stop);
    EXPECT_NE(result.text.find("632"), std::string::npos) << result.text;
    ASSERT_EQ(conversation.messages().size(), 2u);
    EXPECT_EQ(conversation.messages()[1].text, result.text);
}

TEST(Conversation, TheNextTurnReusesTheCacheAndRegenerateRepeatsItself) {
    const auto model = demo();
    Conversation conversation(*model);
    GenerationSink sink;
    conversation.answer(conversation.prepare("What is 2 + 3?"), greedy(), sink, {});
    auto params = greedy();
    params.sampling = {.temperature = 0.8f, .topP = 0.95f, .seed = 4};
    const auto second = conversation.answer(
        conversation.prepare("Tell me a story about a fox named Mia."), params, sink, {});
    EXPECT_GT(second.timing.reusedTokens, 10);
    const auto again = conversation.answer(conversation.prepareAgain(), params, sink, {});
    EXPECT_EQ(second.ids, again.ids);
    EXPECT_EQ(conversation.messages().size(), 4u);
}

TEST(Conversation, OldTurnsAreDroppedWhenTheContextIsFullAndItIsSaid) {
    const auto model = demo(96);
    Conversation conversation(*model);
    GenerationSink sink;
    int dropped = 0;
    for (int turn = 0; turn < 8; ++turn) {
        const auto prepared = conversation.prepare("What is 12 + 30?");
        dropped += prepared.droppedMessages;
        EXPECT_EQ(prepared.droppedMessages % 2, 0);  // a question goes with its answer
        EXPECT_GE(prepared.room, 24);
        conversation.answer(prepared, greedy(20), sink, {});
    }
    EXPECT_GT(dropped, 0);
    EXPECT_EQ(conversation.droppedMessages(), dropped);
    EXPECT_EQ(conversation.messages().size(), 16u);  // dropped from the prompt, not from the record
}

/// As many of the newest messages as leave room, tried one question less at a time.
std::vector<TokenId> promptByTrying(LoadedModel& model, std::vector<ChatMessage> messages) {
    const auto context = model.decoder().maxContext();
    for (;;) {
        const auto ids = model.chatFormat().prompt(messages);
        const auto room = context - static_cast<std::int64_t>(ids.size());
        if (room >= context / 4 || messages.size() == 1) return ids;
        messages.erase(messages.begin(), messages.begin() + 2);
    }
}

TEST(Conversation, ALongHistoryIsFittedAsIfTriedOneQuestionLessAtATime) {
    const auto model = demo(512);
    for (const int questions : {3, 9, 40, 200}) {
        std::vector<ChatMessage> history;
        for (int i = 0; i < questions; ++i) {
            history.push_back({Role::User, "What is 12 + " + std::to_string(i) + "?"});
            history.push_back({Role::Assistant, std::string(static_cast<std::size_t>(i % 7), 'a')});
        }
        Conversation conversation(*model, history);
        const auto prepared = conversation.prepare("And 3 + 4?");
        history.push_back({Role::User, "And 3 + 4?"});
        EXPECT_EQ(prepared.ids, promptByTrying(*model, history)) << questions;
        EXPECT_EQ(prepared.droppedMessages, conversation.droppedMessages());
        EXPECT_EQ(prepared.droppedMessages > 0, questions >= 40) << prepared.ids.size();
    }
}

TEST(Conversation, AMessageThatCannotFitIsRefusedAndForgotten) {
    const auto model = demo(32);
    Conversation conversation(*model);
    std::string longText;
    for (int i = 0; i < 100; ++i) longText += "word ";
    EXPECT_THROW(conversation.prepare(longText), Error);
    EXPECT_TRUE(conversation.messages().empty());
    GenerationSink sink;
    EXPECT_NO_THROW(conversation.answer(conversation.prepare("Hi"), greedy(4), sink, {}));
}

TEST(Conversation, RegeneratingNothingIsAnError) {
    const auto model = demo();
    Conversation conversation(*model);
    EXPECT_THROW(conversation.prepareAgain(), Error);
}

TEST(Conversation, SpeculationGivesTheSameAnswerInFewerPasses) {
    const auto model = demo();
    GenerationSink sink;
    Conversation plain(*model);
    const auto a = plain.answer(plain.prepare("What is 347 + 285?"), greedy(), sink, {});
    model->decoder().truncate(0);
    Conversation drafted(*model);
    auto params = greedy();
    params.speculate = Speculate::Mtp;
    const auto b = drafted.answer(drafted.prepare("What is 347 + 285?"), params, sink, {});
    EXPECT_EQ(a.ids, b.ids);
    EXPECT_LT(b.speculation.mainForwards, a.speculation.mainForwards * 3 / 4);
}

}  // namespace
}  // namespace gatescope
