// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "engine/session/session_log.h"
#include "engine/session/session_store.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

/// What a log reported, and a way to wait for the first report.
class Reports {
  public:
    void listenTo(SessionLog& log) {
        log.onError([this](const std::string& message) {
            const std::lock_guard lock(m_mutex);
            m_messages.push_back(message);
            if (m_messages.size() == 1) {
                m_first.set_value();
            }
        });
    }
    void waitForFirst() { m_first.get_future().wait(); }
    std::vector<std::string> messages() {
        const std::lock_guard lock(m_mutex);
        return m_messages;
    }

  private:
    std::mutex m_mutex;
    std::vector<std::string> m_messages;
    std::promise<void> m_first;
};

/// No file of this process grows beyond a size while this lives: writing fails as on a bad disk.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(std::uintmax_t bytes) {
        std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &m_before);
        const rlimit limit{static_cast<rlim_t>(bytes), m_before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() { lift(); }
    void lift() { setrlimit(RLIMIT_FSIZE, &m_before); }

  private:
    rlimit m_before{};
};

constexpr int kTokens = 3000;

int beginAnswer(SessionLog& log, std::int64_t session) {
    log.addUserTurn(session, "hello");
    const int turn = log.beginAnswer(session, {}, 0);
    log.flush();
    return turn;
}

void logTokens(SessionLog& log, std::int64_t session, int turn) {
    for (int i = 0; i < kTokens; ++i) {
        TokenEvent token = numberedToken(i);
        token.bytes += std::string(200, 'x');
        log.token(session, turn, token);
    }
}

void expectAllTokens(const fs::path& file, std::int64_t session) {
    const StoredSession stored = SessionStore(file).load(session);
    ASSERT_EQ(stored.turns.size(), 2U);
    ASSERT_EQ(stored.turns[1].tokens.size(), static_cast<std::size_t>(kTokens));
    for (int i = 0; i < kTokens; ++i) {
        ASSERT_EQ(stored.turns[1].tokens[static_cast<std::size_t>(i)].id, i);
    }
}

TEST(SessionFaults, FailedWritesAreReportedOnceAndTriedAgain) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    Reports reports;
    const auto log = SessionLog::open(file);
    reports.listenTo(*log);
    const std::int64_t session = log->beginSession({});
    const int turn = beginAnswer(*log, session);
    {
        FileSizeLimit limit(fs::file_size(file.string() + "-wal") + 9000);
        logTokens(*log, session, turn);
        reports.waitForFirst();
        EXPECT_THROW(log->flush(), Error);
        EXPECT_THROW(log->flush(), Error);
        EXPECT_EQ(reports.messages().size(), 1U);
        EXPECT_THAT(reports.messages()[0], HasSubstr(file.string()));
        EXPECT_EQ(SessionStore(file).load(session).turns.at(1).tokens.size(), 0U)
            << "half a batch must not be there";
    }
    log->flush();
    EXPECT_EQ(reports.messages().size(), 1U);
    expectAllTokens(file, session);
    EXPECT_EQ(quickCheck(file), "ok");
}

TEST(SessionFaults, RetriesByItselfEverySecond) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    Reports reports;
    const auto log = SessionLog::open(file);
    reports.listenTo(*log);
    const std::int64_t session = log->beginSession({});
    const int turn = beginAnswer(*log, session);
    {
        FileSizeLimit limit(fs::file_size(file.string() + "-wal") + 9000);
        logTokens(*log, session, turn);
        reports.waitForFirst();
    }
    SessionStore store(file);
    while (store.load(session).turns.at(1).tokens.size() < static_cast<std::size_t>(kTokens)) {
        std::this_thread::yield();  // nobody flushes: the log must come back to it by itself
    }
}

TEST(SessionFaults, ClosingSaysWhatCouldNotBeKept) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    Reports reports;
    auto log = SessionLog::open(file);
    reports.listenTo(*log);
    const std::int64_t session = log->beginSession({});
    const int turn = beginAnswer(*log, session);
    {
        FileSizeLimit limit(fs::file_size(file.string() + "-wal") + 9000);
        logTokens(*log, session, turn);
        reports.waitForFirst();
        log.reset();
    }
    ASSERT_EQ(reports.messages().size(), 2U);
    EXPECT_THAT(reports.messages()[1],
                HasSubstr("(3000 entries of the session could not be kept)"));
    EXPECT_EQ(quickCheck(file), "ok");
    EXPECT_EQ(SessionStore(file).load(session).turns.size(), 2U);
}

TEST(SessionFaults, FullDisk) {
    const TempFolder folder;
    if (mount("gatescope-test", folder.path().c_str(), "tmpfs", 0, "size=1m") != 0) {
        GTEST_SKIP() << "only root may mount a small disk";
    }
    const fs::path file = folder / "s.db";
    Reports reports;
    {
        const auto log = SessionLog::open(file);
        reports.listenTo(*log);
        const std::int64_t session = log->beginSession({});
        const int turn = beginAnswer(*log, session);
        logTokens(*log, session, turn);
        reports.waitForFirst();
        EXPECT_THAT(reports.messages(), ElementsAre(file.string() + ": the disk is full"));
        EXPECT_EQ(mount("gatescope-test", folder.path().c_str(), "tmpfs", MS_REMOUNT, "size=16m"),
                  0);
        log->flush();
        expectAllTokens(file, session);
    }
    EXPECT_EQ(quickCheck(file), "ok");
    umount(folder.path().c_str());
}

TEST(SessionFaults, ReadOnlyDisk) {
    const TempFolder folder;
    if (mount("gatescope-test", folder.path().c_str(), "tmpfs", 0, "size=4m") != 0) {
        GTEST_SKIP() << "only root may mount a disk";
    }
    makeSessionFile(folder / "s.db", 4);
    EXPECT_EQ(mount("gatescope-test", folder.path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, ""),
              0);
    EXPECT_THROW(SessionLog::open(folder / "s.db"), Error);
    EXPECT_THROW(SessionLog::open(folder / "new.db"), Error);
    EXPECT_EQ(SessionStore(folder / "s.db").load(1).turns.at(1).tokens.size(), 4U);
    umount(folder.path().c_str());
}

TEST(SessionFaults, WaitsForAnotherWriter) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    const auto log = SessionLog::open(file);
    const std::int64_t session = log->beginSession({});
    SQLite::Database other(file.string(), SQLite::OPEN_READWRITE);
    other.exec("BEGIN IMMEDIATE");
    log->addUserTurn(session, "while somebody else writes");  // returns at once
    EXPECT_EQ(SessionStore(file).load(session).turns.size(), 0U);
    auto flushed = std::async(std::launch::async, [&log] { log->flush(); });
    other.exec("UPDATE sessions SET title = 'theirs'; COMMIT");
    flushed.get();
    const StoredSession stored = SessionStore(file).load(session);
    EXPECT_EQ(stored.summary.title, "theirs");
    EXPECT_EQ(stored.turns.size(), 1U);
}

TEST(SessionFaults, ASessionDeletedElsewhereDoesNotHoldUpTheOthers) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    Reports reports;
    const auto log = SessionLog::open(file);
    reports.listenTo(*log);
    const std::int64_t gone = log->beginSession({});
    const std::int64_t kept = log->beginSession({});
    const int turn = beginAnswer(*log, gone);
    {
        SQLite::Database other(file.string(), SQLite::OPEN_READWRITE);
        other.exec("PRAGMA foreign_keys = ON; DELETE FROM sessions WHERE id = 1");
    }
    log->token(gone, turn, numberedToken(1));
    log->addUserTurn(kept, "still here");
    log->flush();
    ASSERT_EQ(reports.messages().size(), 1U);
    EXPECT_THAT(reports.messages()[0], HasSubstr("session 1, turn 1: an entry could not be kept"));
    EXPECT_EQ(SessionStore(file).load(kept).turns.at(0).text, "still here");
}

TEST(SessionFaults, AWrongRoutingDoesNotHoldUpTheOthers) {
    const TempFolder folder;
    Reports reports;
    const auto log = SessionLog::open(folder / "s.db");
    reports.listenTo(*log);
    const std::int64_t session = log->beginSession({});
    const int turn = beginAnswer(*log, session);
    StepTrace wrong;
    wrong.tokens.resize(1);
    wrong.tokens[0].routing.experts = {1, 2, 3};
    log->step(session, turn, wrong);
    log->token(session, turn, numberedToken(1));
    log->flush();
    EXPECT_EQ(reports.messages().size(), 1U);
    EXPECT_EQ(SessionStore(folder / "s.db").load(session).turns.at(1).tokens.size(), 1U);
}

}  // namespace
}  // namespace gatescope
