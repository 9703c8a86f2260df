// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "engine/error.h"
#include "engine/session/schema.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
namespace fs = std::filesystem;
using testing::HasSubstr;

template <class Action>
std::string errorOf(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

std::vector<std::string> namesIn(const TempFolder& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path())) {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

fs::path keptCopy(const TempFolder& folder, const std::string& name) {
    for (const std::string& candidate : namesIn(folder)) {
        if (candidate.starts_with(name + ".corrupt-") && !candidate.ends_with("-wal") &&
            !candidate.ends_with("-shm")) {
            return folder / candidate;
        }
    }
    return {};
}

/// The file is opened, set aside untouched, and the fresh one works.
void expectSetAside(const TempFolder& folder, const std::string& damaged) {
    const fs::path file = folder / "s.db";
    writeFile(file, damaged);
    {
        const auto log = SessionLog::open(file);
        EXPECT_THAT(log->notice(), HasSubstr(file.string() + " was damaged"));
        EXPECT_THAT(log->notice(), HasSubstr("s.db.corrupt-2"));
        const fs::path kept = keptCopy(folder, "s.db");
        ASSERT_FALSE(kept.empty());
        EXPECT_EQ(readFile(kept), damaged);
        EXPECT_THAT(kept.filename().string(),
                    testing::MatchesRegex("s\\.db\\.corrupt-[0-9]{8}-[0-9]{6}"));
        EXPECT_EQ(log->addUserTurn(log->beginSession({}), "works"), 0);
    }
    EXPECT_EQ(SessionStore(file).list().size(), 1U);
    EXPECT_EQ(SessionLog::open(file)->notice(), "");
}

TEST(SessionFile, FreshFileIsMarked) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db");
    EXPECT_EQ(namesIn(folder), std::vector<std::string>{"s.db"});
    SQLite::Database database((folder / "s.db").string());
    EXPECT_EQ(database.execAndGet("PRAGMA journal_mode").getString(), "wal");
    EXPECT_EQ(database.execAndGet("PRAGMA application_id").getInt(), 0x47534350);
    EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), 3);
    EXPECT_EQ(database
                  .execAndGet("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND "
                              "type = 'table' AND name NOT LIKE 'sqlite%' AND strict = 0")
                  .getInt(),
              0);
    EXPECT_EQ(SessionLog::open(folder / "s.db")->notice(), "");
}

TEST(SessionFile, EmptyFileBecomesFresh) {
    const TempFolder folder;
    writeFile(folder / "s.db", "");
    EXPECT_EQ(SessionLog::open(folder / "s.db")->notice(), "");
    EXPECT_EQ(namesIn(folder), std::vector<std::string>{"s.db"});
}

TEST(SessionFile, EmptyDatabaseBecomesOurs) {
    const TempFolder folder;
    SQLite::Database((folder / "s.db").string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec("VACUUM");
    EXPECT_EQ(SessionLog::open(folder / "s.db")->notice(), "");
}

TEST(SessionFile, GarbageIsSetAside) {
    std::mt19937 random(1);
    for (const std::size_t size : {1U, 99U, 100U, 5000U, 20000U}) {
        SCOPED_TRACE(size);
        const TempFolder folder;
        std::string garbage(size, '\0');
        for (char& c : garbage) {
            c = static_cast<char>(random());
        }
        expectSetAside(folder, garbage);
    }
}

TEST(SessionFile, TruncatedFileIsSetAside) {
    const TempFolder whole;
    makeSessionFile(whole / "s.db", 300);
    const std::string bytes = readFile(whole / "s.db");
    for (const double part : {0.1, 0.5, 0.9}) {
        SCOPED_TRACE(part);
        const TempFolder folder;
        const auto size = static_cast<std::size_t>(static_cast<double>(bytes.size()) * part);
        expectSetAside(folder, bytes.substr(0, size / 4096 * 4096 + 17));
    }
}

TEST(SessionFile, ZeroedPagesAreSetAside) {
    const TempFolder whole;
    makeSessionFile(whole / "s.db", 300);
    const std::string bytes = readFile(whole / "s.db");
    for (const std::size_t page : {1U, 2U, 5U, 9U}) {
        SCOPED_TRACE(page);
        const TempFolder folder;
        std::string damaged = bytes;
        std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(page * 4096), 64, '\0');
        expectSetAside(folder, damaged);
    }
    const TempFolder folder;
    std::string damaged = bytes;
    std::fill_n(damaged.begin() + 100, 3000, '\0');  // the header stands, the schema is gone
    expectSetAside(folder, damaged);
}

TEST(SessionFile, CompanionsOfADamagedFileGoWithIt) {
    const TempFolder folder;
    writeFile(folder / "s.db", "not a database at all");
    writeFile(folder / "s.db-wal", "old log");
    writeFile(folder / "s.db-shm", "old index");
    SessionLog::open(folder / "s.db");
    const std::string kept = keptCopy(folder, "s.db").string();
    EXPECT_EQ(readFile(kept + "-wal"), "old log");
    EXPECT_EQ(readFile(kept + "-shm"), "old index");
}

TEST(SessionFile, TwoDamagedFilesInOneSecondAreBothKept) {
    const TempFolder folder;
    for (const char* content : {"first garbage", "second garbage", "third garbage"}) {
        writeFile(folder / "s.db", content);
        SessionLog::open(folder / "s.db");
    }
    EXPECT_EQ(namesIn(folder).size(), 4U);
}

TEST(SessionFile, DatabasesOfOthersAreNeverTouched) {
    for (const char* mark : {"PRAGMA application_id = 1234567", "PRAGMA application_id = 0"}) {
        SCOPED_TRACE(mark);
        const TempFolder folder;
        const fs::path file = folder / "bookmarks.db";
        {
            SQLite::Database other(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
            other.exec(mark);
            other.exec("CREATE TABLE bookmarks (url TEXT)");
        }
        const std::string before = readFile(file);
        EXPECT_THAT(errorOf([&] { SessionLog::open(file); }),
                    HasSubstr(file.string() + ": this is a database of another program"));
        EXPECT_THAT(errorOf([&] { SessionStore store(file); }),
                    HasSubstr("not a Gatescope session file"));
        EXPECT_EQ(readFile(file), before);
        EXPECT_EQ(namesIn(folder), std::vector<std::string>{"bookmarks.db"});
    }
}

TEST(SessionFile, NewerVersionIsReadButNotWritten) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    makeSessionFile(file, 5);
    {
        SQLite::Database newer(file.string(), SQLite::OPEN_READWRITE);
        newer.exec("ALTER TABLE tokens ADD COLUMN mood TEXT; PRAGMA user_version = 4");
    }
    const std::string before = readFile(file);
    const std::string message = errorOf([&] { SessionLog::open(file); });
    EXPECT_THAT(message, HasSubstr("written by a newer Gatescope (session format 4"));
    EXPECT_EQ(readFile(file), before);
    EXPECT_EQ(SessionStore(file).load(1).turns.at(1).tokens.size(), 5U);

    SQLite::Database(file.string(), SQLite::OPEN_READWRITE)
        .exec("ALTER TABLE tokens RENAME COLUMN bytes TO octets; PRAGMA user_version = 5");
    EXPECT_THAT(errorOf([&] { SessionStore store(file); }),
                HasSubstr("session format 5 cannot be read"));
}

TEST(SessionFile, PlacesThatCannotBeWrittenAreErrors) {
    const TempFolder folder;
    EXPECT_THAT(errorOf([&] { SessionLog::open(folder / "no/such/folder/s.db"); }),
                HasSubstr("no/such/folder/s.db: cannot be opened or created"));
    EXPECT_THAT(errorOf([&] { SessionLog::open(folder.path()); }), HasSubstr("is not a file"));
    EXPECT_NE(errorOf([] { SessionLog::open("/proc/self/sessions.db"); }), "");
    EXPECT_NE(errorOf([] { SessionLog::open(""); }), "");
    EXPECT_NE(errorOf([] { SessionLog::open("/dev/null"); }), "");
}

TEST(SessionFile, ReadOnlyFolderIsAnErrorForWritersOnly) {
    if (geteuid() == 0) {
        GTEST_SKIP() << "root may write everywhere";
    }
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 4);
    ASSERT_EQ(chmod(folder.path().c_str(), 0500), 0);
    EXPECT_NE(errorOf([&] { SessionLog::open(folder / "s.db"); }), "");
    EXPECT_NE(errorOf([&] { SessionLog::open(folder / "new.db"); }), "");
    EXPECT_EQ(errorOf([&] {
                  EXPECT_EQ(SessionStore(folder / "s.db").load(1).turns.at(1).tokens.size(), 4U);
              }),
              "");
    ASSERT_EQ(chmod(folder.path().c_str(), 0700), 0);
}

TEST(SessionFile, ReaderSaysWhatIsWrong) {
    const TempFolder folder;
    EXPECT_THAT(errorOf([&] { SessionStore store(folder / "none.db"); }),
                HasSubstr("none.db: there is no such file"));
    EXPECT_EQ(namesIn(folder).size(), 0U);
    writeFile(folder / "s.db",
              "garbage that is long enough to be looked at as a header, surely....."
              "............................................................");
    EXPECT_THAT(errorOf([&] { SessionStore store(folder / "s.db"); }),
                HasSubstr("not a Gatescope session file"));
    makeSessionFile(folder / "good.db", 3);
    EXPECT_THAT(errorOf([&] { SessionStore(folder / "good.db").load(5); }),
                HasSubstr("session 5: there is no such session"));
    SQLite::Database((folder / "good.db").string(), SQLite::OPEN_READWRITE)
        .exec("UPDATE routing SET routing = x'0102'");
    EXPECT_THAT(errorOf([&] { SessionStore(folder / "good.db").load(1); }),
                HasSubstr("routing blob: 2 bytes"));
}

TEST(SessionFile, NamesAreTakenLiterally) {
    const TempFolder folder;
    const fs::path before = fs::current_path();
    fs::current_path(folder.path());
    for (const char* name : {":memory:", "file:s.db?mode=memory", "a b%20\xC3\xA9.db"}) {
        makeSessionFile(name, 2);
        EXPECT_EQ(SessionStore(name).list().size(), 1U);
        EXPECT_TRUE(fs::is_regular_file(folder / name)) << name;
    }
    fs::current_path(before);
}

TEST(SessionFile, ADamagedFileBehindALinkIsRenamedItself) {
    const TempFolder folder;
    fs::create_directory(folder / "real");
    writeFile(folder / "real/s.db", "garbage");
    fs::create_symlink(folder / "real/s.db", folder / "link.db");
    SessionLog::open(folder / "link.db");
    EXPECT_TRUE(fs::is_symlink(folder / "link.db"));
    EXPECT_EQ(quickCheck(folder / "real/s.db"), "ok");
}

TEST(SessionFile, DefaultFileFollowsXdg) {
    const TempFolder folder;
    const std::string data = (folder / "data/deep").string();
    const char* const oldData = std::getenv("XDG_DATA_HOME");
    const std::string savedData = oldData == nullptr ? "" : oldData;
    const char* const oldHome = std::getenv("HOME");
    const std::string savedHome = oldHome == nullptr ? "" : oldHome;
    setenv("XDG_DATA_HOME", data.c_str(), 1);
    EXPECT_EQ(defaultSessionFile(), fs::path(data) / "gatescope/sessions.db");
    struct stat status {};
    ASSERT_EQ(stat((data + "/gatescope").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    EXPECT_EQ(defaultSessionFile(), fs::path(data) / "gatescope/sessions.db");

    setenv("HOME", folder.path().c_str(), 1);
    for (const char* ignored : {"", "relative/path"}) {
        setenv("XDG_DATA_HOME", ignored, 1);
        EXPECT_EQ(defaultSessionFile(), folder / ".local/share/gatescope/sessions.db");
    }
    writeFile(folder / "file", "");
    setenv("XDG_DATA_HOME", (folder / "file").c_str(), 1);
    EXPECT_THROW(defaultSessionFile(), Error);
    oldData == nullptr ? unsetenv("XDG_DATA_HOME") : setenv("XDG_DATA_HOME", savedData.c_str(), 1);
    oldHome == nullptr ? unsetenv("HOME") : setenv("HOME", savedHome.c_str(), 1);
}

void addMood(SQLite::Database& database) {
    database.exec("ALTER TABLE turns ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'");
}
void addIndex(SQLite::Database& database) {
    database.exec("CREATE INDEX turns_by_mood ON turns (mood)");
}
void failHalfway(SQLite::Database& database) {
    database.exec("CREATE TABLE halfway (x INTEGER) STRICT");
    database.exec("CREATE TABLE turns (x INTEGER)");
}

TEST(SessionFile, MigrationsBringAnOlderFileUp) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 3);
    SQLite::Database database((folder / "s.db").string(), SQLite::OPEN_READWRITE);
    const std::array<Migration, 5> steps = {sessionMigrations()[0], sessionMigrations()[1],
                                            sessionMigrations()[2], Migration{4, addMood},
                                            Migration{5, addIndex}};
    migrate(database, steps);
    EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), 5);
    EXPECT_EQ(database.execAndGet("SELECT mood FROM turns WHERE turn = 0").getString(), "calm");
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM tokens").getInt(), 3);
    migrate(database, steps);  // nothing left to do
    EXPECT_EQ(SessionStore(folder / "s.db").load(1).turns.size(), 2U);
}

TEST(SessionFile, AFailedMigrationLeavesTheFileAsItWas) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 3);
    SQLite::Database database((folder / "s.db").string(), SQLite::OPEN_READWRITE);
    const std::array<Migration, 5> steps = {sessionMigrations()[0], sessionMigrations()[1],
                                            sessionMigrations()[2], Migration{4, addMood},
                                            Migration{5, failHalfway}};
    EXPECT_THROW(migrate(database, steps), SQLite::Exception);
    EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), 3);
    EXPECT_EQ(
        database.execAndGet("SELECT count(*) FROM sqlite_schema WHERE name = 'halfway'").getInt(),
        0);
    EXPECT_EQ(SessionLog::open(folder / "s.db")->notice(), "");
}

}  // namespace
}  // namespace gatescope
