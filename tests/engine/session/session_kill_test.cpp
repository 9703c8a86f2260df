// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <random>
#include <vector>

#include "engine/session/session_store.h"
#include "tests/engine/session/child_process.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;

constexpr std::int64_t kPromisedNs = 250'000'000;

struct Killed {
    std::vector<Acknowledgement> tokens;  ///< handed to the log before the process died
    std::int64_t killedNs = 0;            ///< the process was alive until here at least
};

/// Lets a child generate until it has handed over `count` tokens, then kills it.
Killed killAfter(const std::filesystem::path& file, int count) {
    ChildProcess child({"stream", file.string()});
    Killed result;
    Acknowledgement record;
    while (static_cast<int>(result.tokens.size()) < count && child.read(record)) {
        if (record.token >= 0) {
            result.tokens.push_back(record);
        }
    }
    result.killedNs = monotonicNs();
    child.kill();
    EXPECT_EQ(child.wait(), -SIGKILL);
    while (child.read(record)) {  // what it still said between our reading and its end
        result.tokens.push_back(record);
    }
    return result;
}

void expectFinished(const StoredTurn& answer, int number) {
    EXPECT_EQ(answer.finish, "stop");
    EXPECT_EQ(answer.text, "answer " + std::to_string(number));
    EXPECT_EQ(answer.tokens.size(), 20U);
    EXPECT_EQ(answer.steps.size(), 20U);
}

/// As many as fit the time of every day; tests/soak asks for a hundred.
int kills() {
    const char* wanted = std::getenv("GATESCOPE_KILLS");
    return wanted != nullptr ? std::max(1, std::atoi(wanted)) : 8;
}

TEST(SessionKill, AKilledProcessLosesAtMostAQuarterSecond) {
    std::mt19937 random(20);
    for (int run = 0; run < kills(); ++run) {
        const bool late = run % 2 == 0;  // more than a quarter second after its first token
        const int count = std::uniform_int_distribution<int>(late ? 260 : 1, 420)(random);
        SCOPED_TRACE(testing::Message() << "run " << run << ", " << count << " tokens");
        const TempFolder folder;
        const Killed killed = killAfter(folder / "s.db", count);
        ASSERT_GE(killed.tokens.size(), static_cast<std::size_t>(count));

        EXPECT_EQ(quickCheck(folder / "s.db"), "ok");
        EXPECT_EQ(SessionLog::open(folder / "s.db")->notice(), "");
        const SessionStore store(folder / "s.db");
        const StoredSession stored = store.load(1);
        if (!late && stored.turns.size() < 6U) {
            continue;  // what came before is a moment old, too: whole or not there yet
        }
        ASSERT_EQ(stored.turns.size(), 6U);
        EXPECT_EQ(stored.turns[0].text, "question 0");
        expectFinished(stored.turns[1], 0);
        EXPECT_EQ(stored.turns[2].text, "question 1");
        expectFinished(stored.turns[3], 1);
        EXPECT_EQ(stored.turns[4].text, "the last question");

        const StoredTurn& last = stored.turns[5];
        EXPECT_EQ(last.finish, "interrupted");
        std::size_t promised = 0;
        for (const Acknowledgement& token : killed.tokens) {
            promised += killed.killedNs - token.timeNs > kPromisedNs ? 1 : 0;
        }
        EXPECT_TRUE(promised > 0 || !late);
        EXPECT_GE(last.tokens.size(), promised);
        std::string text;
        for (std::size_t i = 0; i < last.tokens.size(); ++i) {
            expectSame(last.tokens[i], numberedToken(static_cast<int>(i)));
            text += last.tokens[i].bytes;
        }
        EXPECT_EQ(last.text, text);
        EXPECT_LE(last.steps.size(), last.tokens.size());
        EXPECT_GE(last.steps.size() + 1, last.tokens.size());
    }
}

TEST(SessionKill, KilledWhileStartingLeavesAUsableFile) {
    std::mt19937 random(7);
    for (int run = 0; run < kills(); ++run) {
        const TempFolder folder;
        {
            ChildProcess child({"stream", (folder / "s.db").string()});
            Acknowledgement record;
            if (run % 2 == 1) {
                child.read(record);  // the finished answers are handed over, hardly written
            } else {
                // Some moment while it creates its file: as long as this loop takes.
                volatile unsigned spin = static_cast<unsigned>(random()) % 20'000'000U;
                while (spin > 0) {
                    spin = spin - 1;
                }
            }
            child.kill();
            child.wait();
        }
        const auto log = SessionLog::open(folder / "s.db");
        EXPECT_EQ(log->notice(), "");
        EXPECT_GE(log->beginSession({}), 1);
    }
}

}  // namespace
}  // namespace gatescope
