// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_replay.h"

#include <gmock/gmock.h>

#include "engine/decode/conversation.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/session/model_session.h"
#include "engine/session/session_recorder.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope::test {
namespace {

using testing::HasSubstr;

LoadedModel& demo() {
    static const auto model = LoadedModel::load(GATESCOPE_DEMO_MODEL_DIR);
    return *model;
}

struct Ignore final : GenerationSink {};

/// Stops the answer after some tokens.
struct StopAfter final : GenerationSink {
    explicit StopAfter(int tokens) : left(tokens) {}
    void onToken(const TokenEvent&, std::string_view) override {
        if (--left == 0) stop.request_stop();
    }
    int left;
    std::stop_source stop;
};

/// A conversation with the demo model, logged as the programs do it.
class Recorded {
  public:
    Recorded() : m_log(SessionLog::open(m_folder / "s.db")), m_conversation(demo()) {
        demo().decoder().truncate(0);
        SessionInfo info;
        info.title = "recorded";
        info.modelName = demo().name();
        info.modelFingerprint = demo().fingerprint();
        info.device = demo().deviceName();
        info.precision = demo().precisionName();
        info.shape = demo().routingShape();
        m_session = m_log->beginSession(info);
    }

    void say(const std::string& text, GenerationParams params, GenerationSink& sink,
             std::stop_token stop = {}) {
        m_log->addUserTurn(m_session, text);
        answer(m_conversation.prepare(text), std::move(params), sink, std::move(stop));
    }
    /// A new session with another answer to the last question, which begins with these tokens.
    void branch(std::vector<TokenEvent> given, GenerationParams params) {
        const SessionLog::Branch branch =
            m_log->beginBranch(sessionInfo(demo(), {}), {m_session, m_turn, std::ssize(given)});
        m_session = branch.session;
        m_log->addUserTurn(m_session, branch.question);
        Ignore sink;
        answer(m_conversation.prepareAgain(), std::move(params), sink, {}, given);
    }
    void again(GenerationParams params) {
        m_log->replaceTurn(m_session, m_turn);
        Ignore sink;
        answer(m_conversation.prepareAgain(), std::move(params), sink, {});
    }
    StoredSession stored() {
        m_log->flush();
        return SessionStore(m_folder / "s.db").load(m_session);
    }

  private:
    void answer(const Conversation::Prepared& prepared, GenerationParams params,
                GenerationSink& sink, std::stop_token stop,
                std::span<const TokenEvent> given = {}) {
        params.stopTokens = answerEnds(demo());
        m_turn = m_log->beginAnswer(m_session, params, 0, static_cast<int>(given.size()));
        m_log->promptTokens(m_session, m_turn, prepared.ids);
        SessionRecorder recorder(*m_log, m_session, m_turn, sink);
        m_log->endAnswer(m_session, m_turn,
                         m_conversation.answer(prepared, params, recorder, std::move(stop), given));
    }

    TempFolder m_folder;
    std::unique_ptr<SessionLog> m_log;
    Conversation m_conversation;
    std::int64_t m_session = 0;
    int m_turn = 0;
};

GenerationParams sampled(std::uint64_t seed, Speculate speculate) {
    GenerationParams params;
    params.sampling.temperature = 0.8F;
    params.sampling.seed = seed;
    params.maxNewTokens = 24;
    params.speculate = speculate;
    params.alternatives = 4;
    return params;
}

TEST(SessionReplay, GivesTheSameTokensAndChoices) {
    Recorded recorded;
    Ignore sink;
    recorded.say("Tell me a story.", sampled(1, Speculate::Mtp), sink);
    recorded.say("What is 12 + 5?", sampled(2, Speculate::Off), sink);
    recorded.again(sampled(3, Speculate::Lookup));
    const StoredSession stored = recorded.stored();
    const SessionReplay replay = replaySession(demo(), stored);
    EXPECT_TRUE(replay.sameTokens());
    EXPECT_TRUE(replay.sameRouting());
    EXPECT_TRUE(replay.otherConditions.empty());
    EXPECT_EQ(replay.replayed.answers.size(), 2U);
    EXPECT_EQ(replay.comparison.equalTokens, replay.comparison.answerTokens);
    EXPECT_GT(replay.comparison.answerTokens, 24);
    EXPECT_GT(replay.comparison.n, replay.comparison.answerTokens);
    EXPECT_EQ(replay.comparison.saturation, 1);
}

TEST(SessionReplay, ABranchIsReplayedFromItsGivenTokens) {
    Recorded recorded;
    Ignore sink;
    recorded.say("Hello.", sampled(1, Speculate::Off), sink);
    recorded.say("Tell me a story.", sampled(1, Speculate::Off), sink);
    const StoredSession before = recorded.stored();
    std::vector<TokenEvent> given(before.turns[3].tokens.begin(),
                                  before.turns[3].tokens.begin() + 6);
    const auto& alternatives = given.back().alternatives;
    const bool likeliest = alternatives.at(0).id == given.back().id;
    given.back().id = alternatives.at(likeliest ? 1 : 0).id;
    recorded.branch(given, sampled(9, Speculate::Mtp));
    const StoredSession stored = recorded.stored();
    ASSERT_EQ(stored.turns.size(), 4U);
    EXPECT_EQ(stored.turns[3].givenTokens, 6);
    EXPECT_EQ(stored.turns[3].tokens[5].id, given.back().id);
    const SessionReplay replay = replaySession(demo(), stored);
    EXPECT_TRUE(replay.sameTokens());
    EXPECT_TRUE(replay.sameRouting());
    EXPECT_EQ(replay.comparison.equalTokens, replay.comparison.answerTokens);
    EXPECT_EQ(std::ssize(replay.replayed.answers[1].tokens), std::ssize(stored.turns[3].tokens));
}

TEST(SessionReplay, ShowsWhereTokensDiffer) {
    Recorded recorded;
    Ignore sink;
    recorded.say("Tell me a story.", sampled(1, Speculate::Off), sink);
    StoredSession stored = recorded.stored();
    TokenEvent& changed = stored.turns[1].tokens[5];
    const std::int32_t before = changed.id;
    changed.id = before == 300 ? 301 : 300;
    const SessionReplay replay = replaySession(demo(), stored);
    ASSERT_EQ(replay.comparison.texts.size(), 1U);
    EXPECT_EQ(replay.comparison.texts[0].seq, 5);
    EXPECT_EQ(replay.comparison.texts[0].idA, changed.id);
    EXPECT_EQ(replay.comparison.texts[0].idB, before);
    EXPECT_TRUE(replay.sameRouting());  // of what stands before
}

TEST(SessionReplay, ShowsChoicesThatDiffer) {
    Recorded recorded;
    Ignore sink;
    recorded.say("Tell me a story.", sampled(1, Speculate::Off), sink);
    StoredSession stored = recorded.stored();
    RoutedToken& token = stored.turns[1].steps[3].tokens[0];
    const auto k = static_cast<std::size_t>(stored.info.shape.topK);
    std::uint16_t other = 0;
    const auto row = token.routing.experts.begin() + static_cast<std::ptrdiff_t>(2 * k);
    while (std::find(row, row + static_cast<std::ptrdiff_t>(k), other) !=
           row + static_cast<std::ptrdiff_t>(k)) {
        ++other;
    }
    *row = other;
    const SessionReplay replay = replaySession(demo(), stored);
    EXPECT_TRUE(replay.sameTokens());
    EXPECT_FALSE(replay.sameRouting());
    ASSERT_TRUE(replay.comparison.first);
    EXPECT_EQ(replay.comparison.first->position, token.position);
    EXPECT_EQ(replay.comparison.first->layer, stored.info.shape.layers[2]);
    EXPECT_EQ(replay.comparison.first->marginA, token.routing.margins[2]);
}

TEST(SessionReplay, RunsStoppedAnswersAsFarAsTheyCame) {
    Recorded recorded;
    StopAfter sink(6);
    recorded.say("Tell me a story.", sampled(1, Speculate::Off), sink, sink.stop.get_token());
    const StoredSession stored = recorded.stored();
    ASSERT_EQ(stored.turns[1].finish, "cancelled");
    const SessionReplay replay = replaySession(demo(), stored);
    EXPECT_TRUE(replay.sameTokens());
    EXPECT_EQ(replay.comparison.answerTokens,
              static_cast<std::int64_t>(stored.turns[1].tokens.size()));
}

TEST(SessionReplay, RunsUnderTheInterventionsOfTheSession) {
    Recorded recorded;
    auto changed = std::make_shared<Interventions>();
    for (const int layer : demo().routingShape().layers) {
        changed->layers.push_back({.layer = layer, .topK = 2});
    }
    GenerationParams params = sampled(1, Speculate::Mtp);
    params.interventions = changed;
    Ignore sink;
    recorded.say("Tell me a story.", params, sink);
    const SessionReplay replay = replaySession(demo(), recorded.stored());
    EXPECT_TRUE(replay.sameTokens());
    EXPECT_TRUE(replay.sameRouting());
    EXPECT_DOUBLE_EQ(replay.comparison.chance, 2.0 / 32);
}

TEST(SessionReplay, NamesOtherConditions) {
    Recorded recorded;
    Ignore sink;
    recorded.say("Hello.", sampled(1, Speculate::Off), sink);
    StoredSession stored = recorded.stored();
    stored.info.device =
        "cpu, 64 threads" + stored.info.device.substr(stored.info.device.find(" threads") + 8);
    EXPECT_TRUE(replaySession(demo(), stored).otherConditions.empty());
    stored.info.device = "cuda:0 H100";
    stored.info.precision = "fast";
    const SessionReplay replay = replaySession(demo(), stored);
    ASSERT_EQ(replay.otherConditions.size(), 2U);
    EXPECT_THAT(replay.otherConditions[0], HasSubstr("cuda:0 H100"));
}

TEST(SessionReplay, RefusesAnotherModelAndStops) {
    Recorded recorded;
    Ignore sink;
    recorded.say("Hello.", sampled(1, Speculate::Off), sink);
    StoredSession stored = recorded.stored();
    const Progress no = [](std::string_view, std::uint64_t, std::uint64_t) { return false; };
    EXPECT_THROW(replaySession(demo(), stored, no), Cancelled);
    stored.info.modelFingerprint = "another";
    EXPECT_THROW(replaySession(demo(), stored), Error);
}

}  // namespace
}  // namespace gatescope::test
