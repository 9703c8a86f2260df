// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/replay.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/decode/generator.h"
#include "engine/error.h"
#include "engine/model/loaded_model.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

/// What a run recorded of the tokens that stayed, by position: the latest, as a later turn may
/// compute a position again.
struct Record final : GenerationSink {
    void onStep(const StepTrace& step) override {
        for (const auto& token : step.tokens)
            if (token.phase != Phase::Rejected) main[token.position] = token;
        for (const auto& token : step.mtp) mtp[token.position] = token;
    }
    std::map<int, RoutedToken> main;
    std::map<int, RoutedToken> mtp;
};

/// A conversation in two turns, each recorded with all affinities.
struct Conversation {
    explicit Conversation(Decoder& model, std::vector<std::int32_t> prompt,
                          std::span<const std::int32_t> more, Speculate speculate)
        : decoder(model), ids(std::move(prompt)) {
        params.maxNewTokens = 12;
        params.keepScores = true;
        params.speculate = speculate;
        decoder.truncate(0);
        answer();
        ids.insert(ids.end(), more.begin(), more.end());
        answer();
    }

    void answer() {
        const auto result = generate(decoder, nullptr, ids, params, record);
        ids.insert(ids.end(), result.ids.begin(), result.ids.end());
    }

    std::vector<Phase> phases() const {
        std::vector<Phase> out;
        for (const auto& [position, token] : record.main) {
            if (position == static_cast<int>(out.size())) out.push_back(token.phase);
        }
        return out;
    }

    ReplayedToken replay(int position) {
        const auto recorded = phases();
        return replayToken(decoder, {ids, position, recorded});
    }

    Decoder& decoder;
    std::vector<std::int32_t> ids;
    GenerationParams params;
    Record record;
};

void expectSame(const RoutedToken& a, const RoutedToken& b) {
    EXPECT_EQ(a.position, b.position);
    EXPECT_EQ(a.tokenId, b.tokenId);
    EXPECT_EQ(a.phase, b.phase);
    EXPECT_EQ(a.routing.experts, b.routing.experts);
    EXPECT_EQ(a.routing.weights, b.routing.weights);
    EXPECT_EQ(a.routing.margins, b.routing.margins);
    EXPECT_EQ(a.routing.biasDecided, b.routing.biasDecided);
    ASSERT_TRUE(a.routing.scores && b.routing.scores);
    EXPECT_EQ(*a.routing.scores, *b.routing.scores);  // to the bit
}

std::vector<std::byte> cacheBytes(Decoder& decoder) {
    auto bytes = decoder.cache().copyRows(0, decoder.length());
    if (decoder.mtp()) {
        const auto pairs = decoder.mtp()->cache().copyRows(0, decoder.mtp()->length());
        bytes.insert(bytes.end(), pairs.begin(), pairs.end());
    }
    return bytes;
}

constexpr Speculate kBoth[]{Speculate::Off, Speculate::Mtp};

class ReplayOfEveryModel : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, ReplayOfEveryModel,
                         testing::Values("v3-mini", "v3-fp8", "v3-noqlora", "v2-lite"), modelLabel);

TEST_P(ReplayOfEveryModel, GivesWhatWasRecordedToTheBitAndLeavesTheCacheAlone) {
    GoldenModel model(GetParam());
    const auto tokens = model.tokens("p40");
    for (const auto speculate : kBoth) {
        if (speculate == Speculate::Mtp && !model.decoder.mtp()) continue;
        Conversation talk(model.decoder, tokens, std::span(tokens).first(9), speculate);
        const auto before = cacheBytes(model.decoder);
        const auto pairs = talk.record.mtp;
        for (const auto& [position, recorded] : talk.record.main) {
            SCOPED_TRACE(position);
            const auto replayed = talk.replay(position);
            expectSame(replayed.main, recorded);
            if (speculate == Speculate::Mtp && pairs.count(position) > 0) {
                ASSERT_TRUE(replayed.mtp);
                expectSame(*replayed.mtp, pairs.at(position));
                EXPECT_LE(replayed.computed, 2);
            }
        }
        if (speculate == Speculate::Mtp || !model.decoder.mtp()) {
            EXPECT_EQ(before, cacheBytes(model.decoder));
        }
    }
}

// Another conversation came in between: everything before the token is computed again, prompts as
// prompts and answers as answers.
TEST_P(ReplayOfEveryModel, WorksWithoutTheCache) {
    GoldenModel model(GetParam());
    const auto tokens = model.tokens("p40");
    for (const auto speculate : kBoth) {
        if (speculate == Speculate::Mtp && !model.decoder.mtp()) continue;
        Conversation talk(model.decoder, tokens, std::span(tokens).first(9), speculate);
        for (const int position : {0, 17, 39, 40, 45, 55, 60}) {
            SCOPED_TRACE(position);
            const std::vector<std::int32_t> others(5, tokens[3]);
            model.decoder.truncate(20);
            model.decoder.forward(others, {});
            const auto replayed = talk.replay(position);
            expectSame(replayed.main, talk.record.main.at(position));
            if (speculate == Speculate::Mtp && talk.record.mtp.count(position) > 0)
                expectSame(replayed.mtp.value(), talk.record.mtp.at(position));
            EXPECT_GE(model.decoder.length(), position + 1);
        }
    }
}

TEST_P(ReplayOfEveryModel, AFollowingGenerationIsTheSame) {
    GoldenModel model(GetParam());
    const auto tokens = model.tokens("p150");
    GenerationParams params;
    params.maxNewTokens = 16;
    const auto go = [&](Speculate speculate, bool replayed) {
        params.speculate = speculate;
        Conversation talk(model.decoder, model.tokens("p40"), std::span(tokens).first(20),
                          speculate);
        if (replayed) {
            for (const int position : {3, 50, 70}) talk.replay(position);
        }
        talk.ids.insert(talk.ids.end(), tokens.begin(), tokens.begin() + 10);
        Record sink;
        const auto result = generate(model.decoder, nullptr, talk.ids, params, sink);
        return std::pair(result.ids, result.timing.reusedTokens);
    };
    for (const auto speculate : kBoth) {
        if (speculate == Speculate::Mtp && !model.decoder.mtp()) continue;
        EXPECT_EQ(go(speculate, true), go(speculate, false));
    }
}

// A cache without MTP pairs, and one that went on another way right behind the token.
TEST(Replay, PairsAreCompletedButNeverWrong) {
    GoldenModel model("v3-mini");
    const auto tokens = model.tokens("p40");
    std::map<int, RoutedToken> fresh;
    for (const int position : {10, 20}) {
        model.decoder.truncate(0);
        const auto replayed = replayToken(model.decoder, {tokens, position});
        ASSERT_TRUE(replayed.mtp);
        fresh[position] = *replayed.mtp;
        EXPECT_EQ(replayed.computed, position + 1);
        EXPECT_EQ(model.decoder.mtp()->length(), position + 1);
    }
    model.decoder.truncate(0);
    model.decoder.forward(tokens, {});
    expectSame(*replayToken(model.decoder, {tokens, 20}).mtp, fresh[20]);
    EXPECT_EQ(model.decoder.length(), 40);
    EXPECT_EQ(model.decoder.mtp()->length(), 21);

    auto other = tokens;
    other[11] = (tokens[11] + 1) % model.decoder.config().vocabSize;
    model.decoder.truncate(0);
    model.decoder.forward(other, {});
    ASSERT_NE(other[11], tokens[11]);
    expectSame(*replayToken(model.decoder, {tokens, 10}).mtp, fresh[10]);
    EXPECT_EQ(model.decoder.length(), 40);         // position 10 is the same token in both
    EXPECT_EQ(model.decoder.mtp()->length(), 10);  // pair 10 is not: its token 11 differs
    EXPECT_EQ(model.decoder.tokens()[11], other[11]);
}

TEST(Replay, WithoutANextTokenOrUnwantedThereIsNoPair) {
    GoldenModel model("v3-mini");
    const auto tokens = model.tokens("p7");
    EXPECT_FALSE(replayToken(model.decoder, {tokens, 6}).mtp);
    EXPECT_FALSE(replayToken(model.decoder, {tokens, 3, {}, false}).mtp);
}

TEST(Replay, LongContextsTakeSeveralPassesAndStopInBetween) {
    GoldenModel model("v3-mini");
    std::vector<std::int32_t> ids;
    while (static_cast<std::int64_t>(ids.size()) < model.decoder.maxPass() + 40) {
        for (const auto id : model.tokens("p150")) ids.push_back(id);
    }
    const auto position = static_cast<std::int32_t>(ids.size()) - 2;
    const auto whole = replayToken(model.decoder, {ids, position});
    EXPECT_EQ(whole.computed, position + 1);
    EXPECT_EQ(replayToken(model.decoder, {ids, position}).computed, 1);

    std::stop_source stop;
    stop.request_stop();
    const auto before = cacheBytes(model.decoder);
    EXPECT_THROW(replayToken(model.decoder, {ids, 5}, {}, stop.get_token()), Cancelled);
    EXPECT_EQ(before, cacheBytes(model.decoder));  // stopped in the middle: nothing changed
    model.decoder.truncate(0);
    EXPECT_THROW(replayToken(model.decoder, {ids, position}, {}, stop.get_token()), Cancelled);
    EXPECT_EQ(model.decoder.length(), 0);
}

TEST(Replay, SpecialTokensAreMarked) {
    GoldenModel model("v3-mini");
    const auto tokens = model.tokens("p7");
    const auto special = [&](std::int32_t id) { return id == tokens[4]; };
    EXPECT_TRUE(replayToken(model.decoder, {tokens, 4}, special).main.special);
    EXPECT_EQ(replayToken(model.decoder, {tokens, 5}, special).main.special,
              tokens[5] == tokens[4]);
}

TEST(Replay, BadRequestsAreErrors) {
    GoldenModel model("v3-mini");
    auto tokens = model.tokens("p7");
    EXPECT_THROW(replayToken(model.decoder, {tokens, 7}), Error);
    EXPECT_THROW(replayToken(model.decoder, {tokens, -1}), Error);
    EXPECT_THROW(replayToken(model.decoder, {{}, 0}), Error);
    tokens[2] = model.decoder.config().vocabSize;
    EXPECT_THROW(replayToken(model.decoder, {tokens, 5}), Error);
}

TEST(Replay, TheDemoModelToTheBit) {
    const auto model = LoadedModel::load(GATESCOPE_DEMO_MODEL_DIR);
    const auto ids = model->chatFormat().prompt({{Role::User, "Tell me a story about a cat."}});
    Conversation talk(model->decoder(), ids, std::span(ids).last(6), Speculate::Mtp);
    for (const auto& [position, recorded] : talk.record.main) {
        SCOPED_TRACE(position);
        const auto replayed = talk.replay(position);
        expectSame(replayed.main, recorded);
        if (talk.record.mtp.count(position) > 0)
            expectSame(replayed.mtp.value(), talk.record.mtp.at(position));
    }
    model->decoder().truncate(0);
    const int last = talk.record.main.rbegin()->first;
    expectSame(talk.replay(last).main, talk.record.main.at(last));
}

}  // namespace
}  // namespace gatescope::test
