// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <vector>

#include "engine/session/session_log.h"
#include "engine/session/session_store.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
using testing::ElementsAre;

constexpr std::int64_t kNoon = 1'700'000'000'000;
constexpr std::int64_t kDay = 86'400'000;

std::int64_t valueOf(const std::filesystem::path& file, const std::string& query) {
    SQLite::Database database(file.string(), SQLite::OPEN_READONLY);
    return database.execAndGet(query).getInt64();
}

TEST(SessionClock, AJumpingClockLeavesTurnsInOrderAndDurationsPositive) {
    const TempFolder folder;
    std::mt19937_64 random(4);
    std::atomic<std::int64_t> now = kNoon;
    const auto jump = [&] {
        now = kNoon + static_cast<std::int64_t>(random() % (40 * kDay)) - 20 * kDay;
    };
    std::vector<std::string> said;
    {
        const auto log = SessionLog::open(folder / "s.db", [&now] { return now.load(); });
        const std::int64_t session = log->beginSession({});
        for (int i = 0; i < 20; ++i) {
            jump();
            said.push_back("question " + std::to_string(i));
            log->addUserTurn(session, said.back());
            jump();
            const int turn = log->beginAnswer(session, {}, 0);
            jump();
            log->token(session, turn, numberedToken(i));
            jump();
            GenerationResult result;
            result.text = said.emplace_back("answer " + std::to_string(i));
            log->endAnswer(session, turn, result);
        }
    }
    std::vector<std::string> read;
    for (const StoredTurn& turn : SessionStore(folder / "s.db").load(1).turns) {
        read.push_back(turn.text);
    }
    EXPECT_EQ(read, said);
    EXPECT_EQ(valueOf(folder / "s.db", "SELECT count(*) FROM answers WHERE ended_ms < started_ms"),
              0);
    EXPECT_EQ(valueOf(folder / "s.db",
                      "SELECT count(*) FROM sessions WHERE updated_ms < "
                      "created_ms"),
              0);
    EXPECT_EQ(valueOf(folder / "s.db",
                      "SELECT count(*) FROM turns a JOIN turns b ON b.turn = a.turn + 1 "
                      "WHERE b.created_ms < a.created_ms"),
              0);
}

TEST(SessionClock, SessionsAreListedAsTheyWereUsed) {
    const TempFolder folder;
    std::atomic<std::int64_t> now = kNoon;
    const auto log = SessionLog::open(folder / "s.db", [&now] { return now.load(); });
    const std::int64_t first = log->beginSession({});
    now = kNoon - kDay;  // set back
    const std::int64_t second = log->beginSession({});
    const std::int64_t third = log->beginSession({});
    log->addUserTurn(first, "again");
    log->flush();
    std::vector<std::int64_t> ids;
    for (const SessionSummary& summary : SessionStore(folder / "s.db").list()) {
        ids.push_back(summary.id);
    }
    EXPECT_THAT(ids, ElementsAre(third, second, first)) << "at one time: the newest first";
    now = kNoon + 1;
    log->addUserTurn(first, "and again");
    log->flush();
    EXPECT_EQ(SessionStore(folder / "s.db").list().front().id, first);
}

TEST(SessionClock, AClockOf1970PurgesNothingAndReadsBack) {
    const TempFolder folder;
    {
        const auto log = SessionLog::open(folder / "s.db", [] { return kNoon; });
        log->beginSession({});
    }
    const auto log = SessionLog::open(folder / "s.db", [] { return std::int64_t{0}; });
    const std::int64_t session = log->beginSession({});
    log->addUserTurn(session, "hello");
    log->addUserTurn(1, "an older one goes on");
    log->flush();
    const auto list = SessionStore(folder / "s.db").list();
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].id, 1) << "last used by what the file says, which never goes back";
    EXPECT_EQ(list[0].updatedMs, kNoon);
}

}  // namespace
}  // namespace gatescope
