// SPDX-License-Identifier: Apache-2.0
#include "engine/session/compared_session.h"

#include <gmock/gmock.h>

#include "engine/error.h"
#include "engine/session/settings_json.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

StoredTurn answer(int turn, const GenerationParams& params, bool replaced = false) {
    StoredTurn stored;
    stored.turn = turn;
    stored.role = Role::Assistant;
    stored.replaced = replaced;
    stored.finish = "stop";
    stored.paramsJson = settingsToJson(params);
    stored.promptIds = {turn, 7};
    stored.tokens = {numberedToken(turn)};
    return stored;
}

StoredTurn message(int turn, std::string text) {
    StoredTurn stored;
    stored.turn = turn;
    stored.text = std::move(text);
    return stored;
}

StoredSession session(std::int64_t id, std::vector<StoredTurn> turns) {
    StoredSession stored;
    stored.summary.id = id;
    stored.summary.title = fmt::format("title {}", id);
    stored.info.modelName = "model";
    stored.info.modelFingerprint = "f1";
    stored.info.device = "cpu";
    stored.info.shape = {{1, 2}, -1, 3, 8, 2, 1, 1, true};
    stored.turns = std::move(turns);
    return stored;
}

std::string errorOf(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(SessionsFromText, NumbersAndRangesInOrderEachOnce) {
    EXPECT_THAT(sessionsFromText("12"), ElementsAre(12));
    EXPECT_THAT(sessionsFromText("5,1-3,2"), ElementsAre(5, 1, 2, 3));
    for (const char* bad :
         {"", "x", "1,", "0", "-3", "3-1", "1-", "1 2", "1-999999999999", "99999999999999999999"}) {
        EXPECT_THAT(errorOf([bad] { sessionsFromText(bad); }), HasSubstr(bad)) << bad;
    }
}

TEST(ComparedRun, HoldsTheAnswersOfAllSessionsWithoutReplacedOnes) {
    const StoredSession sessions[] = {
        session(3, {message(0, "first"), answer(1, {}, true), answer(2, {})}),
        session(5, {message(0, "second"), answer(1, {})})};
    const ComparedRun run = comparedRun(sessions, "A");
    EXPECT_EQ(run.label, "A");
    EXPECT_EQ(run.title, "title 3 and 1 more");
    EXPECT_EQ(run.settings, "greedy");
    ASSERT_EQ(run.answers.size(), 2U);
    EXPECT_EQ(run.answers[0].session, 3);
    EXPECT_EQ(run.answers[0].turn, 2);
    EXPECT_EQ(run.answers[0].prompt, "first");
    EXPECT_THAT(run.answers[0].promptIds, ElementsAre(2, 7));
    EXPECT_EQ(run.answers[1].prompt, "second");
    EXPECT_EQ(run.answers[1].tokens.size(), 1U);
}

TEST(ComparedRun, NamesDifferingSettingsAndInterventions) {
    GenerationParams warm;
    warm.sampling.temperature = 0.5F;
    warm.sampling.seed = 4;
    warm.speculate = Speculate::Mtp;
    auto changed = std::make_shared<Interventions>();
    changed->layers.push_back({.layer = 1, .off = {}, .forced = {}, .topK = 1});
    changed->layers.push_back({.layer = 2, .off = {}, .forced = {}, .topK = 1});
    warm.interventions = changed;
    const StoredSession one[] = {session(1, {message(0, "m"), answer(1, warm)})};
    const ComparedRun run = comparedRun(one, "B");
    EXPECT_EQ(run.settings, "temperature 0.5 · seed 4 · drafts by mtp");
    EXPECT_THAT(run.interventions, HasSubstr("top-k 1"));
    EXPECT_EQ(run.shape.topK, 1);

    GenerationParams greedy;
    const StoredSession two[] = {session(1, {message(0, "m"), answer(1, greedy)}),
                                 session(2, {message(0, "m"), answer(1, warm)})};
    EXPECT_THAT(errorOf([&] { comparedRun(two, "B"); }), HasSubstr("session 2"));
    warm.interventions.reset();
    const StoredSession mixed[] = {session(1, {message(0, "m"), answer(1, greedy)}),
                                   session(2, {message(0, "m"), answer(1, warm)})};
    EXPECT_EQ(comparedRun(mixed, "B").settings, "different settings");
}

TEST(ComparedRun, RefusesWhatCannotBePooled) {
    EXPECT_THAT(errorOf([] { comparedRun(std::span<const StoredSession>(), "A"); }),
                HasSubstr("no session"));
    StoredSession other = session(2, {message(0, "m"), answer(1, {})});
    other.info.modelFingerprint = "f2";
    const StoredSession both[] = {session(1, {message(0, "m"), answer(1, {})}), other};
    EXPECT_THAT(errorOf([&] { comparedRun(both, "A"); }), HasSubstr("session 2"));
    const StoredSession unanswered[] = {session(9, {message(0, "m")})};
    EXPECT_THAT(errorOf([&] { comparedRun(unanswered, "A"); }), HasSubstr("session 9"));
}

TEST(ComparedRun, ReadsStoredSessions) {
    const TempFolder folder;
    const auto file = folder / "sessions.db";
    makeSessionFile(file, 7);
    const SessionStore store(file);
    const std::int64_t ids[] = {1};
    const ComparedRun run = comparedRun(store, ids, "A");
    ASSERT_EQ(run.answers.size(), 1U);
    EXPECT_EQ(run.answers.front().tokens.size(), 7U);
}

}  // namespace
}  // namespace gatescope::test
