// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "engine/error.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
using At = PartRequest::At;

/// A question and an answer for each number of tokens.
SessionIndex conversation(const std::vector<std::int64_t>& answers, std::int64_t prompt = 10) {
    SessionIndex index;
    for (const std::int64_t tokens : answers) {
        const int turn = static_cast<int>(index.turns.size());
        index.turns.push_back({turn, false, false, 0, 0});
        index.turns.push_back({turn + 1, true, false, tokens, prompt});
    }
    return index;
}

void expectPlan(const PartPlan& plan, const std::vector<std::int64_t>& expected) {
    EXPECT_THAT((std::vector<std::int64_t>{static_cast<std::int64_t>(plan.firstTurn),
                                           static_cast<std::int64_t>(plan.endTurn), plan.firstToken,
                                           plan.tokens, plan.cutBefore, plan.cutAfter}),
                testing::ElementsAreArray(expected));
}

PartLimits tokenLimit(std::int64_t tokens) {
    PartLimits limits;
    limits.tokens = tokens;
    return limits;
}

TEST(SessionIndex, AShortSessionIsOnePart) {
    const SessionIndex index = conversation({30, 40});
    for (const At at : {At::Newest, At::Oldest}) {
        expectPlan(planPart(index, {at}, tokenLimit(100)), {0, 4, 0, 70, 0, 0});
    }
    expectPlan(planPart({}, {}, {}), {0, 0, 0, 0, 0, 0});
}

TEST(SessionIndex, WholeTurnsWhereThePartIsHalfFull) {
    const SessionIndex index = conversation({80, 30, 40});
    expectPlan(planPart(index, {At::Newest}, tokenLimit(100)), {2, 6, 80, 70, 0, 0});
    expectPlan(planPart(index, {At::Oldest}, tokenLimit(100)), {0, 2, 0, 80, 0, 0});
}

TEST(SessionIndex, CutsAnAnswerThatIsTooLong) {
    const SessionIndex index = conversation({1000, 10});
    expectPlan(planPart(index, {At::Newest}, tokenLimit(100)), {1, 4, 910, 100, 910, 0});
    expectPlan(planPart(index, {At::Oldest}, tokenLimit(100)), {0, 2, 0, 100, 0, 900});
    expectPlan(planPart(index, {At::EndsAt, 500}, tokenLimit(100)), {1, 2, 400, 100, 400, 500});
    expectPlan(planPart(index, {At::BeginsAt, 500}, tokenLimit(100)), {1, 2, 500, 100, 500, 400});
    expectPlan(planPart(index, {At::EndsAt, 40}, tokenLimit(100)), {0, 2, 0, 40, 0, 960});
}

TEST(SessionIndex, AnswersThatWereTakenBackDoNotCount) {
    SessionIndex index = conversation({50, 60});
    index.turns[1].replaced = true;
    EXPECT_EQ(index.tokens(), 60);
    expectPlan(planPart(index, {At::Newest}, tokenLimit(60)), {0, 4, 0, 60, 0, 0});
}

TEST(SessionIndex, LongPromptsAndManyTurnsBoundAPart) {
    PartLimits limits;
    limits.promptTokens = 250;
    const SessionIndex index = conversation(std::vector<std::int64_t>(50, 1), 100);
    expectPlan(planPart(index, {At::Newest}, limits), {96, 100, 48, 2, 0, 0});
    limits = {};
    limits.turns = 10;
    expectPlan(planPart(index, {At::Newest}, limits), {90, 100, 45, 5, 0, 0});
    limits.promptTokens = 1;  // one answer whatever its prompt
    EXPECT_EQ(planPart(index, {At::Newest}, limits).tokens, 1);
}

TEST(SessionIndex, EveryTokenIsReachedByGoingBackAndForth) {
    std::mt19937 random(3);
    for (int run = 0; run < 50; ++run) {
        std::vector<std::int64_t> answers(1 + random() % 12);
        for (std::int64_t& tokens : answers) {
            tokens = static_cast<std::int64_t>(random() % 60);
        }
        const SessionIndex index = conversation(answers);
        const PartLimits limits = tokenLimit(1 + static_cast<std::int64_t>(random() % 50));
        std::int64_t first = index.tokens();
        while (first > 0) {
            const PartPlan plan = planPart(index, {At::EndsAt, first}, limits);
            ASSERT_EQ(plan.firstToken + plan.tokens, first);
            ASSERT_GT(plan.tokens, 0);
            ASSERT_LE(plan.tokens, limits.tokens);
            first = plan.firstToken;
        }
        for (std::int64_t next = 0; next < index.tokens();) {
            const PartPlan plan = planPart(index, {At::BeginsAt, next}, limits);
            ASSERT_EQ(plan.firstToken, next);
            ASSERT_GT(plan.tokens, 0);
            ASSERT_LE(plan.tokens, limits.tokens);
            next += plan.tokens;
        }
    }
}

/// Steps of one or two tokens with routing, as an engine would log them.
void logAnswer(SessionLog& log, std::int64_t session, int tokens, bool take, std::mt19937& random) {
    const int turn = log.beginAnswer(session, {}, 0);
    log.promptTokens(session, turn, {1, 2, 3});
    Arbitrary arbitrary(static_cast<unsigned>(random()));
    GenerationResult result;
    std::int64_t number = 0;
    for (int i = 0; i < tokens; ++number) {
        StepTrace step = arbitrary.step();
        step.step = number;
        for (int here = 1 + static_cast<int>(random() % 2); here > 0 && i < tokens; --here, ++i) {
            TokenEvent token = numberedToken(i);
            token.step = number;
            if (random() % 3 == 0) {
                token.bytes = i % 2 == 0 ? "\xE4\xB8" : "\xAD";
            }
            result.text += token.bytes;
            result.ids.push_back(token.id);
            log.token(session, turn, token);
        }
        log.step(session, turn, step);
    }
    log.endAnswer(session, turn, result);
    if (take) {
        log.replaceTurn(session, turn);
    }
}

void makeLongSession(const std::filesystem::path& file, unsigned seed) {
    std::mt19937 random(seed);
    const auto log = SessionLog::open(file);
    SessionInfo info = Arbitrary(seed).info();
    info.shape = {};
    const std::int64_t session = log->beginSession(info);
    for (int answer = 0; answer < 6; ++answer) {
        log->addUserTurn(session, "question " + std::to_string(answer));
        logAnswer(*log, session, answer == 3 ? 120 : static_cast<int>(random() % 30), answer == 2,
                  random);
    }
}

void expectSameAnswer(const StoredTurn& part, const StoredTurn& whole) {
    EXPECT_EQ(part.text, whole.text);
    EXPECT_EQ(part.promptIds, whole.promptIds);
    ASSERT_EQ(part.tokens.size(), whole.tokens.size());
    for (std::size_t i = 0; i < part.tokens.size(); ++i) {
        expectSame(part.tokens[i], whole.tokens[i]);
    }
    ASSERT_EQ(part.steps.size(), whole.steps.size());
    for (std::size_t i = 0; i < part.steps.size(); ++i) {
        expectSame(part.steps[i], whole.steps[i]);
    }
}

TEST(SessionPages, AShortSessionIsWhatTheStoreLoads) {
    const TempFolder folder;
    makeLongSession(folder / "s.db", 1);
    const StoredSession whole = SessionStore(folder / "s.db").load(1);
    const StoredSession part = SessionPages(folder / "s.db").load(1);
    EXPECT_TRUE(part.extent.whole());
    EXPECT_TRUE(part.extent.allRouting);
    EXPECT_TRUE(part.extent.messages.empty());
    expectSame(part.info, whole.info);
    EXPECT_EQ(part.summary.turns, whole.summary.turns);
    EXPECT_EQ(part.summary.tokens, whole.summary.tokens);
    EXPECT_EQ(part.summary.updatedMs, whole.summary.updatedMs);
    ASSERT_EQ(part.turns.size(), whole.turns.size());
    for (std::size_t i = 0; i < part.turns.size(); ++i) {
        EXPECT_EQ(part.turns[i].turn, whole.turns[i].turn);
        EXPECT_EQ(part.turns[i].role, whole.turns[i].role);
        EXPECT_EQ(part.turns[i].replaced, whole.turns[i].replaced);
        if (!whole.turns[i].replaced) {
            expectSameAnswer(part.turns[i], whole.turns[i]);
        }
    }
}

/// What must be in a cut answer: the tokens, and at least the steps that gave or took them.
void expectSlice(const StoredTurn& part, const StoredTurn& whole, std::int64_t before) {
    for (std::size_t i = 0; i < part.tokens.size(); ++i) {
        expectSame(part.tokens[i], whole.tokens.at(static_cast<std::size_t>(before) + i));
    }
    const std::int64_t first = before == 0 ? 0 : part.tokens.front().step;
    const std::int64_t last = part.tokens.back().step + 1;
    std::size_t at = 0;
    for (const StepTrace& step : whole.steps) {
        if (step.step >= first && step.step <= last) {
            ASSERT_LT(at, part.steps.size());
            expectSame(part.steps[at], step);
            ++at;
        }
    }
    EXPECT_EQ(at, part.steps.size());
}

TEST(SessionPages, PartsTogetherAreTheSession) {
    for (const unsigned seed : {1U, 2U, 3U}) {
        const TempFolder folder;
        makeLongSession(folder / "s.db", seed);
        const StoredSession whole = SessionStore(folder / "s.db").load(1);
        const SessionPages pages(folder / "s.db");
        const std::int64_t total = pages.index(1).tokens();
        std::vector<std::string> texts(whole.turns.size());
        for (std::int64_t next = 0; next < total;) {
            const StoredSession part = pages.load(1, {At::BeginsAt, next}, tokenLimit(17));
            const SessionExtent& extent = part.extent;
            ASSERT_LE(extent.firstToken, next);
            ASSERT_GT(extent.firstToken + extent.tokens, next);
            EXPECT_EQ(extent.sessionTokens, total);
            EXPECT_EQ(extent.begin, part.turns.front().turn == 0 && extent.cutBefore == 0);
            EXPECT_EQ(extent.messages.size(), whole.turns.size());
            for (const StoredTurn& turn : part.turns) {
                const auto at = static_cast<std::size_t>(turn.turn);
                const bool first = &turn == &part.turns.front();
                if (!turn.replaced && !turn.tokens.empty()) {
                    expectSlice(turn, whole.turns[at], first ? extent.cutBefore : 0);
                }
                if (extent.firstToken == next || !first) {
                    texts[at] += turn.text;
                }
            }
            // The next part begins at a whole character, maybe before this one's end.
            next = extent.firstToken + extent.tokens;
        }
        for (std::size_t i = 0; i < whole.turns.size(); ++i) {
            if (whole.turns[i].role == Role::Assistant && !whole.turns[i].replaced) {
                EXPECT_EQ(texts[i], whole.turns[i].text);
            }
        }
    }
}

TEST(SessionPages, RoutingIsBoundedAndTheNewestIsKept) {
    const TempFolder folder;
    makeLongSession(folder / "s.db", 5);
    PartLimits limits;
    limits.routingBytes = 2000;
    const SessionPages pages(folder / "s.db");
    const StoredSession all = pages.load(1);
    const StoredSession part = pages.load(1, {}, limits);
    EXPECT_TRUE(all.extent.allRouting);
    EXPECT_FALSE(part.extent.allRouting);
    const auto rows = [](const StoredSession& session) {
        std::vector<std::size_t> counts;
        for (const StoredTurn& turn : session.turns) {
            for (const StepTrace& step : turn.steps) {
                counts.push_back(step.tokens.size() + step.mtp.size());
            }
        }
        return counts;
    };
    const auto some = rows(part);
    const auto full = rows(all);
    ASSERT_EQ(some.size(), full.size());
    const auto firstKept = std::find_if(some.begin(), some.end(), [](auto n) { return n > 0; });
    ASSERT_NE(firstKept, some.end());
    ASSERT_NE(firstKept, some.begin());
    const auto at = firstKept - some.begin();
    EXPECT_TRUE(std::equal(firstKept + 1, some.end(), full.begin() + at + 1));
}

TEST(SessionPages, AnAnswerThatNeverEndedHasTheTextOfItsTokens) {
    const TempFolder folder;
    const auto log = SessionLog::open(folder / "s.db");
    const std::int64_t session = log->beginSession({});
    log->addUserTurn(session, "hello");
    const int turn = log->beginAnswer(session, {}, 0);
    for (int i = 0; i < 40; ++i) {
        log->token(session, turn, numberedToken(i));
    }
    log->flush();
    const StoredSession part = SessionPages(folder / "s.db").load(1, {}, tokenLimit(3));
    EXPECT_EQ(part.turns.back().text, " 37 38 39");
    EXPECT_EQ(part.turns.back().finish, "interrupted");
    EXPECT_EQ(part.extent.cutBefore, 37);
    ASSERT_EQ(part.extent.messages.size(), 2U);
    EXPECT_EQ(part.extent.messages[1].text.substr(0, 8), " 0 1 2 3");
    EXPECT_EQ(part.extent.lastAnswerIds.size(), 40U);
}

TEST(SessionPages, SaysWhichSessionIsMissing) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 3);
    const SessionPages pages(folder / "s.db");
    EXPECT_TRUE(pages.index(7).turns.empty());
    try {
        pages.load(7);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("session 7: there is no such session"));
    }
}

}  // namespace
}  // namespace gatescope
