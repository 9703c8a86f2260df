// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "engine/error.h"
#include "engine/session/session_log.h"
#include "engine/session/session_pages.h"
#include "engine/session/session_store.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::size_t kPage = 4096;

/// Overwrites bytes of a file in place, behind the back of whoever has it open.
void overwrite(const fs::path& file, std::size_t at, const std::string& bytes) {
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(at));
    out << bytes;
}

std::string noise(std::mt19937& random, std::size_t size) {
    std::string bytes(size, '\0');
    std::generate(bytes.begin(), bytes.end(), [&random] { return static_cast<char>(random()); });
    return bytes;
}

/// Reads all there is. False: an Error that names the file; anything else fails the test.
template <class Read>
bool reads(const fs::path& file, Read read) {
    try {
        read();
        return true;
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr(file.string()));
        return false;
    }
}

TEST(SessionDamage, APageThatIsSpoiltWhileOpenIsAnError) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    makeSessionFile(file, 400);
    const std::size_t pages = fs::file_size(file) / kPage;
    std::mt19937 random(11);
    int refused = 0;
    for (int run = 0; run < 12; ++run) {
        const fs::path copy = folder / ("copy" + std::to_string(run) + ".db");
        fs::copy_file(file, copy);
        const SessionStore store(copy);
        const SessionPages parts(copy);
        EXPECT_EQ(store.list().size(), 1U);
        for (int hit = 0; hit < 8; ++hit) {
            overwrite(copy, (pages / 4 + random() % (pages / 2)) * kPage, noise(random, kPage));
        }
        const bool whole = reads(copy, [&] { store.load(1); });
        const bool part = reads(copy, [&] { parts.load(1); });
        refused += whole && part ? 0 : 1;
        reads(copy, [&] { SessionPages(copy).load(1, {PartRequest::At::Oldest}); });
        reads(copy, [&] { SessionStore(copy).list(); });
    }
    EXPECT_GT(refused, 0);
}

TEST(SessionDamage, NoChangedByteCrashesAReaderOrTheLog) {
    const TempFolder folder;
    makeSessionFile(folder / "good.db", 12);
    const std::string good = readFile(folder / "good.db");
    std::mt19937 random(5);
    for (int run = 0; run < 40; ++run) {
        const fs::path file = folder / ("s" + std::to_string(run) + ".db");
        std::string bad = good;
        for (int hit = 0; hit < 4; ++hit) {
            bad[100 + random() % (bad.size() - 100)] = static_cast<char>(random());
        }
        if (run % 4 == 0) {
            bad.resize(random() % bad.size());
        }
        writeFile(file, bad);
        reads(file, [&] { SessionStore(file).load(1); });
        reads(file, [&] { SessionPages(file).load(1); });
        std::unique_ptr<SessionLog> log;
        if (reads(file, [&] { log = SessionLog::open(file); })) {
            reads(file, [&] {
                log->addUserTurn(log->beginSession({}), "still works");
                log->flush();
            });
        }
    }
}

TEST(SessionDamage, GarbageBesideAGoodFileIsIgnored) {
    std::mt19937 random(6);
    for (const std::size_t size : {std::size_t{1}, std::size_t{32}, kPage, 20 * kPage}) {
        const TempFolder folder;
        const fs::path file = folder / "s.db";
        makeSessionFile(file, 20);
        writeFile(file.string() + "-wal", noise(random, size));
        writeFile(file.string() + "-shm", noise(random, 8 * kPage));
        const auto log = SessionLog::open(file);
        EXPECT_EQ(log->notice(), "");
        EXPECT_EQ(SessionStore(file).load(1).turns.at(1).tokens.size(), 20U);
        log->addUserTurn(1, "goes on");
        log->flush();
        EXPECT_EQ(SessionPages(file).load(1).turns.size(), 3U);
        EXPECT_EQ(quickCheck(file), "ok");
    }
}

TEST(SessionDamage, ATornLogGivesWhatWasCommittedBefore) {
    std::mt19937 random(7);
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    const auto log = SessionLog::open(file);
    const std::int64_t session = log->beginSession({});
    const int turn = log->beginAnswer(session, {}, 0);
    for (int i = 0; i < 200; ++i) {
        log->token(session, turn, numberedToken(i));
        if (i % 10 == 9) {
            log->flush();
        }
    }
    const std::string database = readFile(file);
    const std::string pending = readFile(file.string() + "-wal");
    std::size_t most = 0;
    for (int run = 0; run < 15; ++run) {
        const fs::path copy = folder / ("copy" + std::to_string(run) + ".db");
        std::string torn = pending.substr(0, random() % pending.size());
        torn += noise(random, random() % kPage);
        writeFile(copy, database);
        writeFile(copy.string() + "-wal", torn);
        std::size_t tokens = 0;
        EXPECT_EQ(SessionLog::open(copy)->notice(), "");
        EXPECT_EQ(quickCheck(copy), "ok");
        const SessionStore store(copy);
        for (const SessionSummary& summary : store.list()) {
            const StoredSession stored = store.load(summary.id);
            tokens = stored.turns.empty() ? 0 : stored.turns.back().tokens.size();
        }
        EXPECT_EQ(tokens % 10, 0U) << "a batch is there or not";
        most = std::max(most, tokens);
    }
    EXPECT_GT(most, 50U);
}

TEST(SessionDamage, AReadOnlyFileIsReadAndNotWritten) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    makeSessionFile(file, 7);
    if (mount(file.c_str(), file.c_str(), nullptr, MS_BIND, nullptr) != 0) {
        GTEST_SKIP() << "only root may bind a file to itself";
    }
    EXPECT_EQ(mount(nullptr, file.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
    const std::string before = readFile(file);
    EXPECT_FALSE(reads(file, [&] { SessionLog::open(file); }));
    EXPECT_EQ(SessionPages(file).load(1).turns.at(1).tokens.size(), 7U);
    EXPECT_EQ(readFile(file), before);
    umount(file.c_str());
}

TEST(SessionDamage, ANewerFileIsReadInPartsToo) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    makeSessionFile(file, 9);
    {
        SQLite::Database database(file.string(), SQLite::OPEN_READWRITE);
        database.exec("PRAGMA user_version = 99; ALTER TABLE tokens ADD COLUMN mood TEXT");
    }
    try {
        SessionLog::open(file);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("newer Gatescope"));
        EXPECT_THAT(error.what(), HasSubstr("can be read"));
    }
    EXPECT_EQ(SessionPages(file).load(1).turns.at(1).tokens.size(), 9U);
}

}  // namespace
}  // namespace gatescope
