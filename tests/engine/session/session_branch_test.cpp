// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/error.h"
#include "engine/session/session_log.h"
#include "engine/session/session_store.h"
#include "tests/engine/session/recorded_session.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope::test {
namespace {

using testing::HasSubstr;

/// A copy of the recorded sessions to write to.
class BranchedSession : public testing::Test {
  protected:
    BranchedSession() {
        std::filesystem::copy_file(recordedSession(), m_file);
        log = SessionLog::open(m_file);
        original = load(1);
    }
    StoredSession load(std::int64_t session) {
        log->flush();
        return SessionStore(m_file).load(session);
    }

  private:
    TempFolder m_folder;
    std::filesystem::path m_file = m_folder / "s.db";

  public:
    std::unique_ptr<SessionLog> log;
    StoredSession original;
};

void expectSameTurn(const StoredTurn& actual, const StoredTurn& expected) {
    EXPECT_EQ(actual.turn, expected.turn);
    EXPECT_EQ(actual.role, expected.role);
    EXPECT_EQ(actual.text, expected.text);
    EXPECT_EQ(actual.replaced, expected.replaced);
    EXPECT_EQ(actual.promptIds, expected.promptIds);
    ASSERT_EQ(actual.tokens.size(), expected.tokens.size());
    for (std::size_t i = 0; i < actual.tokens.size(); ++i) {
        expectSame(actual.tokens[i], expected.tokens[i]);
    }
    ASSERT_EQ(actual.steps.size(), expected.steps.size());
    for (std::size_t i = 0; i < actual.steps.size(); ++i) {
        expectSame(actual.steps[i], expected.steps[i]);
    }
}

TEST_F(BranchedSession, HasWhatStoodBeforeTheQuestion) {
    ASSERT_EQ(original.turns.size(), 4U);
    const SessionLog::Branch branch = log->beginBranch({}, {1, 3, 2});
    EXPECT_EQ(branch.question, original.turns[2].text);
    const StoredSession stored = load(branch.session);
    EXPECT_EQ(stored.summary.title, original.summary.title);
    ASSERT_TRUE(stored.summary.branchedFrom);
    EXPECT_EQ(stored.summary.branchedFrom->session, 1);
    EXPECT_EQ(stored.summary.branchedFrom->turn, 3);
    EXPECT_EQ(stored.summary.branchedFrom->seq, 2);
    ASSERT_EQ(stored.turns.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        expectSameTurn(stored.turns[i], original.turns[i]);
    }
    EXPECT_FALSE(stored.turns[1].steps.empty());
    EXPECT_EQ(stored.summary.tokens, std::ssize(stored.turns[1].tokens));
    for (std::size_t i = 0; i < original.turns.size(); ++i) {  // and the other one is untouched
        expectSameTurn(load(1).turns[i], original.turns[i]);
    }
}

TEST_F(BranchedSession, GoesOnWithTokensThatWereGiven) {
    SessionInfo info;
    info.title = "mine";
    const SessionLog::Branch branch = log->beginBranch(info, {1, 1, 2});
    const int question = log->addUserTurn(branch.session, branch.question);
    const int answer = log->beginAnswer(branch.session, {}, 0, 2);
    EXPECT_EQ(question, 0);
    EXPECT_EQ(answer, 1);
    for (int i = 0; i < 3; ++i) {
        TokenEvent token = original.turns[1].tokens[static_cast<std::size_t>(i)];
        token.step = i < 2 ? kGivenStep : 0;
        log->token(branch.session, answer, token);
    }
    const StoredSession stored = load(branch.session);
    EXPECT_EQ(stored.summary.title, "mine");
    ASSERT_EQ(stored.turns.size(), 2U);
    EXPECT_EQ(stored.turns[0].text, original.turns[0].text);
    EXPECT_EQ(stored.turns[1].givenTokens, 2);
    ASSERT_EQ(stored.turns[1].tokens.size(), 3U);
    EXPECT_EQ(stored.turns[1].tokens[1].step, kGivenStep);
    EXPECT_EQ(stored.turns[1].tokens[2].step, 0);
}

TEST_F(BranchedSession, AnAnswerThatWasTakenBackIsCopiedForItsPrompt) {
    log->replaceTurn(1, 1);
    const int again = log->beginAnswer(1, {}, 0);
    const int next = log->addUserTurn(1, "and now?");
    const StoredSession stored = load(log->beginBranch({}, {1, next, -1}).session);
    ASSERT_EQ(stored.turns.size(), static_cast<std::size_t>(next));
    EXPECT_TRUE(stored.turns[1].replaced);
    EXPECT_FALSE(stored.turns[1].steps.empty());
    EXPECT_EQ(stored.turns.back().turn, again);
    EXPECT_EQ(stored.summary.branchedFrom, (SessionBranch{1, next, -1}));
}

TEST_F(BranchedSession, ATurnThatIsNotThereIsRefusedAndNothingIsMade) {
    for (const SessionBranch& nowhere : {SessionBranch{1, 99, 0}, SessionBranch{77, 0, 0}}) {
        try {
            log->beginBranch({}, nowhere);
            FAIL() << "branched from nowhere";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr("s.db: session "));
            EXPECT_THAT(error.what(), HasSubstr("there is no turn"));
        }
    }
    EXPECT_THROW(load(4), Error);
}

}  // namespace
}  // namespace gatescope::test
