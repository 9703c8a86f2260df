// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "engine/session/session_log.h"
#include "engine/session/session_store.h"
#include "tests/engine/session/child_process.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;

void expectCounting(const StoredTurn& answer) {
    for (std::size_t i = 0; i < answer.tokens.size(); ++i) {
        ASSERT_EQ(answer.tokens[i].id, static_cast<std::int32_t>(i));
    }
}

TEST(SessionConcurrency, AReaderSeesAGrowingPrefix) {
    const TempFolder folder;
    const auto log = SessionLog::open(folder / "s.db");
    const std::int64_t session = log->beginSession({});
    const int turn = log->beginAnswer(session, {}, 0);
    log->flush();
    constexpr int kTokens = 4000;
    std::atomic<bool> written = false;
    std::jthread writer([&] {
        for (int i = 0; i < kTokens; ++i) {
            log->token(session, turn, numberedToken(i));
            if (i % 100 == 0) {
                log->flush();
            }
        }
        log->flush();
        written = true;
    });
    SessionStore store(folder / "s.db");
    std::size_t before = 0;
    bool last = false;
    do {
        last = written;  // looked at before loading: the load after it must see everything
        const StoredSession stored = store.load(session);
        ASSERT_GE(stored.turns.at(0).tokens.size(), before);
        before = stored.turns[0].tokens.size();
        ASSERT_EQ(stored.summary.tokens, static_cast<std::int64_t>(before));
        expectCounting(stored.turns[0]);
    } while (!last);
    EXPECT_EQ(before, static_cast<std::size_t>(kTokens));
}

TEST(SessionConcurrency, ManyThreadsWriteToOneLog) {
    const TempFolder folder;
    {
        const auto log = SessionLog::open(folder / "s.db");
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&log] {
                const std::int64_t session = log->beginSession({});
                log->addUserTurn(session, "hello");
                const int turn = log->beginAnswer(session, {}, 0);
                for (int i = 0; i < 500; ++i) {
                    log->token(session, turn, numberedToken(i));
                }
                log->endAnswer(session, turn, endOf(500));
            });
        }
    }
    const SessionStore store(folder / "s.db");
    const auto list = store.list();
    ASSERT_EQ(list.size(), 4U);
    for (const SessionSummary& summary : list) {
        EXPECT_EQ(summary.tokens, 500);
        expectCounting(store.load(summary.id).turns.at(1));
    }
}

TEST(SessionConcurrency, TwoLogsWriteToOneFile) {
    const TempFolder folder;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&folder] {
            const auto log = SessionLog::open(folder / "s.db");
            for (int s = 0; s < 5; ++s) {
                const std::int64_t session = log->beginSession({});
                const int turn = log->beginAnswer(session, {}, 0);
                for (int i = 0; i < 300; ++i) {
                    log->token(session, turn, numberedToken(i));
                    if (i % 20 == 0) {
                        log->flush();
                    }
                }
                log->endAnswer(session, turn, endOf(300));
            }
        });
    }
    threads.clear();
    const SessionStore store(folder / "s.db");
    ASSERT_EQ(store.list().size(), 10U);
    for (const SessionSummary& summary : store.list()) {
        EXPECT_EQ(summary.tokens, 300);
        expectCounting(store.load(summary.id).turns.at(0));
    }
}

TEST(SessionConcurrency, ManyProcessesCreateAndWriteOneFile) {
    const TempFolder folder;
    constexpr int kProcesses = 4;
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (int i = 0; i < kProcesses; ++i) {
        children.push_back(std::make_unique<ChildProcess>(std::vector<std::string>{
            "write", (folder / "s.db").string(), "writer " + std::to_string(i), "3", "200"}));
    }
    for (const auto& child : children) {
        EXPECT_EQ(child->wait(), 0);
    }
    EXPECT_EQ(quickCheck(folder / "s.db"), "ok");
    const SessionStore store(folder / "s.db");
    std::map<std::string, int> sessionsOf;
    for (const SessionSummary& summary : store.list()) {
        ++sessionsOf[summary.title];
        EXPECT_EQ(summary.tokens, 200);
        EXPECT_EQ(summary.turns, 2);
    }
    EXPECT_EQ(sessionsOf.size(), static_cast<std::size_t>(kProcesses));
    for (const auto& [title, count] : sessionsOf) {
        EXPECT_EQ(count, 3) << title;
    }
}

TEST(SessionConcurrency, TwoWindowsContinueTheSameSession) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 2);
    {
        const auto one = SessionLog::open(folder / "s.db");
        const auto two = SessionLog::open(folder / "s.db");
        EXPECT_EQ(one->addUserTurn(1, "from one"), 2);
        one->flush();
        // Two looks into the file before one goes on; one then picks a number from what it knows.
        EXPECT_EQ(two->addUserTurn(1, "from two"), 3);
        const int answerOfOne = one->beginAnswer(1, {}, 0);
        EXPECT_EQ(answerOfOne, 3);
        const int answerOfTwo = two->beginAnswer(1, {}, 0);
        one->token(1, answerOfOne, numberedToken(0));
        one->flush();
        for (int i = 0; i < 3; ++i) {
            two->token(1, answerOfTwo, numberedToken(i));
            two->flush();
        }
        one->token(1, answerOfOne, numberedToken(1));
        GenerationResult result;
        result.text = "answer of two";
        two->endAnswer(1, answerOfTwo, result);
        two->flush();
        result.text = "answer of one";
        one->endAnswer(1, answerOfOne, result);
    }
    const StoredSession stored = SessionStore(folder / "s.db").load(1);
    std::map<std::string, std::size_t> tokensOf;
    for (const StoredTurn& turn : stored.turns) {
        tokensOf[turn.text] = turn.tokens.size();
        expectCounting(turn);
    }
    EXPECT_EQ(tokensOf.at("from one"), 0U);
    EXPECT_EQ(tokensOf.at("from two"), 0U);
    EXPECT_EQ(tokensOf.at("answer of one"), 2U);
    EXPECT_EQ(tokensOf.at("answer of two"), 3U);
    EXPECT_EQ(stored.turns.size(), 6U);
}

TEST(SessionConcurrency, OldLogIsMovedIntoTheFileWhileWriting) {
    const TempFolder folder;
    const auto log = SessionLog::open(folder / "s.db");
    const std::int64_t session = log->beginSession({});
    const int turn = log->beginAnswer(session, {}, 0);
    TokenEvent token = numberedToken(0);
    token.bytes.assign(100'000, 'x');
    // The log file must stop growing, which shows that it started over: only a checkpoint lets it.
    std::uintmax_t written = 0;
    const auto logSize = [&] { return std::filesystem::file_size(folder / "s.db-wal"); };
    do {
        log->token(session, turn, token);
        log->flush();
        written += token.bytes.size();
        ASSERT_LT(written, 400'000'000U);
    } while (written < 2 * logSize() || written < 20'000'000);
}

}  // namespace
}  // namespace gatescope
