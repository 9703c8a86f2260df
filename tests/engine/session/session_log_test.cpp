// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/error.h"
#include "engine/session/session_recorder.h"
#include "engine/session/session_store.h"
#include "engine/session/settings_json.h"
#include "engine/text/utf8_stream.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
using testing::HasSubstr;

struct WrittenAnswer {
    int turn = 0;
    GenerationParams params;
    std::vector<std::int32_t> promptIds;
    std::vector<TokenEvent> tokens;
    std::vector<StepTrace> steps;
    GenerationResult result;
};

WrittenAnswer writeAnswer(SessionLog& log, std::int64_t session, Arbitrary& arbitrary) {
    WrittenAnswer answer;
    answer.params = arbitrary.params();
    answer.turn = log.beginAnswer(session, answer.params, 3);
    for (std::uint32_t i = arbitrary.below(20); i > 0; --i) {
        answer.promptIds.push_back(static_cast<std::int32_t>(arbitrary.below(1U << 31)));
    }
    log.promptTokens(session, answer.turn, answer.promptIds);
    for (std::uint32_t i = arbitrary.below(30); i > 0; --i) {
        answer.tokens.push_back(arbitrary.token());
        log.token(session, answer.turn, answer.tokens.back());
        answer.steps.push_back(arbitrary.step());
        log.step(session, answer.turn, answer.steps.back());
    }
    answer.result = arbitrary.result();
    answer.result.ids.clear();
    for (const TokenEvent& token : answer.tokens) {
        answer.result.ids.push_back(token.id);
    }
    log.endAnswer(session, answer.turn, answer.result);
    return answer;
}

void expectAnswer(const StoredTurn& actual, const WrittenAnswer& expected) {
    EXPECT_EQ(actual.turn, expected.turn);
    EXPECT_EQ(actual.role, Role::Assistant);
    EXPECT_EQ(actual.droppedMessages, 3);
    EXPECT_EQ(actual.paramsJson, settingsToJson(expected.params));
    EXPECT_EQ(actual.promptIds, expected.promptIds);
    EXPECT_EQ(actual.text, expected.result.text);
    EXPECT_EQ(actual.finish, name(expected.result.finish));
    ASSERT_EQ(actual.tokens.size(), expected.tokens.size());
    for (std::size_t i = 0; i < expected.tokens.size(); ++i) {
        expectSame(actual.tokens[i], expected.tokens[i]);
    }
    ASSERT_EQ(actual.steps.size(), expected.steps.size());
    for (std::size_t i = 0; i < expected.steps.size(); ++i) {
        expectSame(actual.steps[i], expected.steps[i]);
    }
    ASSERT_TRUE(actual.result.has_value());
    expectSame(*actual.result, expected.result);
}

TEST(SessionLog, WhatIsReadIsWhatWasWritten) {
    for (unsigned seed = 0; seed < 25; ++seed) {
        SCOPED_TRACE(seed);
        const TempFolder folder;
        const auto log = SessionLog::open(folder / "s.db");
        Arbitrary arbitrary(seed);
        const SessionInfo info = arbitrary.info();
        const std::int64_t session = log->beginSession(info);
        const std::string question = arbitrary.text();
        const std::string secondQuestion = arbitrary.text();
        EXPECT_EQ(log->addUserTurn(session, question), 0);
        const WrittenAnswer first = writeAnswer(*log, session, arbitrary);
        EXPECT_EQ(log->addUserTurn(session, secondQuestion), 2);
        const WrittenAnswer second = writeAnswer(*log, session, arbitrary);
        log->flush();

        const StoredSession stored = SessionStore(folder / "s.db").load(session);
        expectSame(stored.info, info);
        ASSERT_EQ(stored.turns.size(), 4U);
        EXPECT_EQ(stored.turns[0].role, Role::User);
        EXPECT_EQ(stored.turns[0].text, question);
        EXPECT_EQ(stored.turns[0].finish, "");
        EXPECT_FALSE(stored.turns[0].result.has_value());
        expectAnswer(stored.turns[1], first);
        EXPECT_EQ(stored.turns[2].text, secondQuestion);
        expectAnswer(stored.turns[3], second);
        EXPECT_EQ(stored.summary.tokens,
                  static_cast<std::int64_t>(first.tokens.size() + second.tokens.size()));
        EXPECT_EQ(quickCheck(folder / "s.db"), "ok");
    }
}

TEST(SessionLog, KeepsVeryLongText) {
    const TempFolder folder;
    const auto log = SessionLog::open(folder / "s.db");
    const std::int64_t session = log->beginSession({});
    std::string longText;
    while (longText.size() < 5'000'000) {
        longText += "Wovon man nicht sprechen kann \xF0\x9F\xA6\x8A ";
    }
    log->addUserTurn(session, longText);
    log->flush();
    EXPECT_EQ(SessionStore(folder / "s.db").load(session).turns.at(0).text, longText);
}

TEST(SessionLog, FloatsInSettingsReadAsTheyWereTyped) {
    GenerationParams params;
    params.sampling.temperature = 0.7F;
    params.sampling.seed = 0xFFFF'FFFF'FFFF'FFFFU;
    const std::string json = settingsToJson(params);
    EXPECT_THAT(json, HasSubstr("\"temperature\":0.7,"));
    EXPECT_THAT(json, HasSubstr("\"seed\":18446744073709551615"));
    const GenerationParams back = settingsFromJson(json);
    EXPECT_EQ(back.sampling.temperature, 0.7F);
    EXPECT_EQ(back.sampling.seed, params.sampling.seed);
}

TEST(SessionLog, SettingsRoundTrip) {
    Arbitrary arbitrary(4);
    for (int i = 0; i < 200; ++i) {
        const GenerationParams params = arbitrary.params();
        const GenerationParams back = settingsFromJson(settingsToJson(params));
        EXPECT_EQ(settingsToJson(back), settingsToJson(params));
        EXPECT_EQ(back.sampling.topP, params.sampling.topP);
        EXPECT_EQ(back.stopStrings, params.stopStrings);
        EXPECT_EQ(back.stopTokens, params.stopTokens);
        EXPECT_EQ(back.speculate, params.speculate);
        EXPECT_EQ(back.drafts, params.drafts);
        EXPECT_EQ(back.mtpRecycle, params.mtpRecycle);
        EXPECT_EQ(back.plainEvery, params.plainEvery);
    }
    EXPECT_THROW(settingsFromJson("[1]"), Error);
    EXPECT_THROW(settingsFromJson("{\"seed\": \"x\"}"), Error);
    EXPECT_THROW(shapeFromJson("{\"layers\": 3"), Error);
}

TEST(SessionLog, SettingsFromBeforeDraftsHadADepth) {
    const GenerationParams old = settingsFromJson(R"({"speculate": "mtp", "max_new_tokens": 5})");
    EXPECT_EQ(old.speculate, Speculate::Mtp);
    EXPECT_EQ(old.drafts, 0);
    EXPECT_EQ(old.mtpRecycle, MtpRecycle::Normed);
    EXPECT_EQ(old.plainEvery, 0);
    EXPECT_EQ(settingsFromJson("{}").speculate, Speculate::Off);
    GenerationResult result;
    resultFromJson(R"({"speculation": {"steps": 3, "accepted": 2}})", result);
    EXPECT_EQ(result.speculation.steps, 3);
    EXPECT_EQ(result.speculation.plainSteps, 0);
    EXPECT_EQ(result.speculation.outcomes, SpeculationStats{}.outcomes);
}

TEST(SessionLog, SpeculationThatCannotBeIsRefused) {
    for (const char* settings :
         {R"({"speculate": "medusa"})", R"({"speculate": 1})", R"({"drafts": 9})",
          R"({"drafts": -1})", R"({"drafts": 1e99})", R"({"drafts": 1.5})",
          R"({"mtp_recycle": "fresh"})", R"({"plain_every": -2})",
          R"({"plain_every": 99999999999999999999})"}) {
        EXPECT_THROW(settingsFromJson(settings), Error) << settings;
    }
    for (const char* outcomes : {"[[9, 0, 1]]", "[[1, 2, 1]]", "[[-1, -1, 1]]", "[[1, 1, -1]]",
                                 "[[1, 1]]", "[1]", "[[\"1\", 1, 1]]", "7"}) {
        GenerationResult result;
        EXPECT_THROW(resultFromJson(
                         std::string(R"({"speculation": {"outcomes": )") + outcomes + "}}", result),
                     Error)
            << outcomes;
    }
}

TEST(SessionLog, AnswerWithoutEndReadsAsInterrupted) {
    const TempFolder folder;
    {
        const auto log = SessionLog::open(folder / "s.db");
        const std::int64_t session = log->beginSession({});
        log->addUserTurn(session, "hello");
        const int turn = log->beginAnswer(session, {}, 0);
        for (const char* bytes : {"Gate", "scope \xF0\x9F", "\xA6\x8A and \xE4\xB8"}) {
            TokenEvent token;
            token.bytes = bytes;
            log->token(session, turn, token);
        }
    }
    const std::string text = "Gatescope \xF0\x9F\xA6\x8A and \xEF\xBF\xBD";
    {
        const SessionStore store(folder / "s.db");
        const StoredTurn answer = store.load(1).turns.at(1);
        EXPECT_EQ(answer.finish, "interrupted");
        EXPECT_EQ(answer.text, text);
        EXPECT_EQ(answer.tokens.size(), 3U);
        EXPECT_FALSE(answer.result.has_value());
        EXPECT_TRUE(store.search("Gatescope").empty());
    }
    SessionLog::open(folder / "s.db");  // the next start completes the text for the search
    const SessionStore store(folder / "s.db");
    EXPECT_EQ(store.search("Gatescope").size(), 1U);
    EXPECT_EQ(store.load(1).turns.at(1).finish, "interrupted");
    EXPECT_EQ(store.load(1).turns.at(1).text, text);
}

TEST(SessionLog, ReplacedTurnsStayButAreMarked) {
    const TempFolder folder;
    const auto log = SessionLog::open(folder / "s.db");
    const std::int64_t session = log->beginSession({});
    log->addUserTurn(session, "hello");
    Arbitrary arbitrary(2);
    const WrittenAnswer first = writeAnswer(*log, session, arbitrary);
    log->replaceTurn(session, first.turn);
    const WrittenAnswer second = writeAnswer(*log, session, arbitrary);
    log->flush();
    const StoredSession stored = SessionStore(folder / "s.db").load(session);
    ASSERT_EQ(stored.turns.size(), 3U);
    EXPECT_TRUE(stored.turns[1].replaced);
    EXPECT_FALSE(stored.turns[2].replaced);
    expectAnswer(stored.turns[1], first);
    expectAnswer(stored.turns[2], second);
    EXPECT_EQ(stored.summary.turns, 2);
}

TEST(SessionLog, TitlesAndOrderOfTheList) {
    const TempFolder folder;
    const auto log = SessionLog::open(folder / "s.db");
    SessionInfo info;
    info.title = "first";
    info.modelName = "m1";
    const std::int64_t first = log->beginSession(info);
    info.title = "second";
    const std::int64_t second = log->beginSession(info);
    log->setTitle(second, "better");
    log->flush();
    const auto list = SessionStore(folder / "s.db").list();
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].id, second);
    EXPECT_EQ(list[0].title, "better");
    EXPECT_EQ(list[1].id, first);
    EXPECT_EQ(list[1].modelName, "m1");
    EXPECT_GT(list[1].createdMs, 1'600'000'000'000);
    EXPECT_GE(list[1].updatedMs, list[1].createdMs);
    EXPECT_EQ(list[1].turns, 0);
    EXPECT_EQ(list[1].tokens, 0);
}

TEST(SessionLog, ContinuesASessionOfAnEarlierRun) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 3);
    {
        const auto log = SessionLog::open(folder / "s.db");
        EXPECT_EQ(log->notice(), "");
        EXPECT_EQ(log->addUserTurn(1, "and then?"), 2);
        EXPECT_THROW(log->addUserTurn(77, "nobody"), Error);
    }
    const StoredSession stored = SessionStore(folder / "s.db").load(1);
    ASSERT_EQ(stored.turns.size(), 3U);
    EXPECT_EQ(stored.turns[2].text, "and then?");
    EXPECT_EQ(stored.summary.tokens, 3);
}

TEST(SessionLog, SearchFindsWordsPartsAndChinese) {
    const TempFolder folder;
    const auto log = SessionLog::open(folder / "s.db");
    const std::int64_t one = log->beginSession({});
    log->addUserTurn(one, "Why does the Router prefer expert 7?");
    const std::int64_t two = log->beginSession({});
    log->addUserTurn(two,
                     "\xE4\xB8\xBA\xE4\xBB\x80\xE4\xB9\x88\xE8\xB7\xAF\xE7\x94\xB1 100%_x \"q\"");
    log->flush();
    const SessionStore store(folder / "s.db");
    const auto found = [&store](const std::string& text) {
        std::set<std::int64_t> ids;
        for (const SessionSummary& summary : store.search(text)) {
            ids.insert(summary.id);
        }
        return ids;
    };
    EXPECT_EQ(found("router"), std::set{one});
    EXPECT_EQ(found("outer pre"), std::set{one});
    EXPECT_EQ(found("\xE8\xB7\xAF\xE7\x94\xB1"), std::set{two});  // two characters
    EXPECT_EQ(found("\xE4\xBB\x80\xE4\xB9\x88\xE8\xB7\xAF"), std::set{two});
    EXPECT_EQ(found("%_"), std::set{two});
    EXPECT_EQ(found("_e"), std::set<std::int64_t>{});
    EXPECT_EQ(found("\"q\""), std::set{two});
    EXPECT_EQ(found("7"), std::set{one});
    EXPECT_EQ(found("OR NOT ("), std::set<std::int64_t>{});
    EXPECT_EQ(found("nowhere"), std::set<std::int64_t>{});
}

TEST(SessionLog, DeletingASessionTakesEverythingAlong) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 5);
    SQLite::Database database((folder / "s.db").string(), SQLite::OPEN_READWRITE);
    database.exec("PRAGMA foreign_keys = ON");
    database.exec("DELETE FROM sessions");
    for (const char* table :
         {"turns", "answers", "tokens", "steps", "verify_steps", "drafts", "routing"}) {
        EXPECT_EQ(database.execAndGet(std::string("SELECT count(*) FROM ") + table).getInt(), 0)
            << table;
    }
    database.exec("INSERT INTO turns_fts (turns_fts) VALUES ('integrity-check')");
}

class CollectingSink : public GenerationSink {
  public:
    void onPrefill(std::int64_t done, std::int64_t total) override { prefill = {done, total}; }
    void onToken(const TokenEvent& token, std::string_view text) override {
        ids.push_back(token.id);
        shown += text;
    }
    void onStep(const StepTrace& step) override { steps.push_back(step.step); }
    std::pair<std::int64_t, std::int64_t> prefill;
    std::vector<std::int32_t> ids;
    std::string shown;
    std::vector<std::int64_t> steps;
};

TEST(SessionRecorder, LogsAndHandsOn) {
    const TempFolder folder;
    const auto log = SessionLog::open(folder / "s.db");
    const std::int64_t session = log->beginSession({});
    const int turn = log->beginAnswer(session, {}, 0);
    CollectingSink sink;
    SessionRecorder recorder(*log, session, turn, sink);
    recorder.onPrefill(3, 9);
    recorder.onToken(numberedToken(4), " 4");
    StepTrace step;
    step.step = 12;
    recorder.onStep(step);
    log->flush();
    EXPECT_EQ(sink.prefill, (std::pair<std::int64_t, std::int64_t>(3, 9)));
    EXPECT_EQ(sink.ids, std::vector{4});
    EXPECT_EQ(sink.shown, " 4");
    EXPECT_EQ(sink.steps, std::vector<std::int64_t>{12});
    const StoredTurn stored = SessionStore(folder / "s.db").load(session).turns.at(0);
    EXPECT_EQ(stored.tokens.at(0).id, 4);
    EXPECT_EQ(stored.steps.at(0).step, 12);
}

}  // namespace
}  // namespace gatescope
