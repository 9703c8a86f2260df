// SPDX-License-Identifier: Apache-2.0
#include "engine/session/sql_console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <thread>

#include "engine/error.h"
#include "engine/session/console_views.h"
#include "engine/session/schema.h"
#include "tests/engine/session/recorded_session.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;

std::string errorOf(const std::string& sql, const SqlParameters& parameters = {}) {
    SqlConsole console(recordedSession());
    try {
        console.run(sql, parameters);
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

std::int64_t wholeOf(SqlConsole& console, const std::string& sql) {
    return std::get<std::int64_t>(console.run(sql).rows.at(0).at(0));
}

TEST(SqlConsole, CellsKeepTheirTypes) {
    SqlConsole console(recordedSession());
    const SqlResult result = console.run("SELECT 7, 0.5, 'it''s', x'00ff', NULL");
    ASSERT_EQ(result.rows.size(), 1U);
    EXPECT_THAT(result.rows[0],
                ElementsAre(SqlCell(std::int64_t{7}), SqlCell(0.5), SqlCell(std::string("it's")),
                            SqlCell(SqlBlob{std::string("\0\xff", 2)}), SqlCell()));
    EXPECT_EQ(result.columns.size(), 5U);
    EXPECT_FALSE(result.truncated());
}

TEST(SqlConsole, OnlyReadingIsAllowed) {
    for (const char* sql : {"INSERT INTO turns_fts(turns_fts) VALUES ('rebuild')",
                            "DELETE FROM sessions",
                            "UPDATE sessions SET title = ''",
                            "DROP TABLE sessions",
                            "CREATE TABLE mine (x)",
                            "CREATE TEMP TABLE mine (x)",
                            "CREATE VIEW mine AS SELECT 1",
                            "ATTACH 'x.db' AS x",
                            "ATTACH ':memory:' AS x",
                            "DETACH main",
                            "VACUUM",
                            "VACUUM INTO '/tmp/copy.db'",
                            "PRAGMA journal_mode = DELETE",
                            "PRAGMA query_only = OFF",
                            "PRAGMA user_version = 9",
                            "PRAGMA writable_schema = ON",
                            "PRAGMA wal_checkpoint",
                            "BEGIN",
                            "SAVEPOINT a",
                            "REINDEX",
                            "ANALYZE",
                            "ALTER TABLE sessions RENAME TO s",
                            "CREATE TEMP TRIGGER t AFTER INSERT ON turns BEGIN SELECT 1; END",
                            "CREATE VIRTUAL TABLE t USING fts5(x)",
                            "SELECT load_extension('x')",
                            "SELECT fts3_tokenizer('x')",
                            "WITH a AS (SELECT 1) DELETE FROM turns",
                            "SELECT * FROM pragma_journal_mode",
                            "SELECT Load_Extension('x')",
                            "EXPLAIN DELETE FROM turns",
                            "UPDATE sqlite_schema SET sql = ''",
                            "UPDATE sqlite_temp_schema SET sql = ''"}) {
        EXPECT_THAT(errorOf(sql), HasSubstr("recorded.db: ")) << sql;
    }
    EXPECT_THAT(errorOf("DELETE FROM sessions"),
                HasSubstr("recorded.db: SQL: the console only reads: deleting rows is refused"));
    EXPECT_THAT(errorOf("PRAGMA user_version = 9"), HasSubstr("PRAGMA user_version is refused"));
    EXPECT_EQ(quickCheck(recordedSession()), "ok");
}

TEST(SqlConsole, HarmlessQuestionsAboutTheFileAreAnswered) {
    for (const char* sql : {"PRAGMA table_info(tokens)", "PRAGMA user_version",
                            "SELECT name FROM pragma_table_info('choices')",
                            "EXPLAIN QUERY PLAN SELECT * FROM choices",
                            "SELECT count(*) FROM turns_fts WHERE turns_fts MATCH '\"upon\"'",
                            "SELECT sql FROM sqlite_schema", "VALUES (1), (2)",
                            "-- a comment\nSELECT 1; -- and another\n;"}) {
        EXPECT_EQ(errorOf(sql), "") << sql;
    }
}

TEST(SqlConsole, ErrorsNameThePlace) {
    EXPECT_THAT(errorOf("SELECT 1\nFROM nowhere"), HasSubstr("no such table: nowhere"));
    EXPECT_THAT(errorOf("SELECT 1,\n  nosuch FROM turns"),
                HasSubstr("SQL, line 2, column 3: no such column: nosuch"));
    EXPECT_THAT(errorOf("SELECT 1; SELECT 2"), HasSubstr("one statement at a time"));
    EXPECT_THAT(errorOf("SELECT 1; nonsense"), HasSubstr("one statement at a time"));
    EXPECT_THAT(errorOf("  -- nothing"), HasSubstr("there is nothing to run"));
    EXPECT_THAT(errorOf(std::string("SELECT 1\0 2", 11)), HasSubstr("NUL"));
    EXPECT_THAT(errorOf("SELECT zeroblob(1000000000)"), HasSubstr("longer than 8 MB"));
    EXPECT_THAT(errorOf("SELECT ?"), HasSubstr("needs a name"));
    EXPECT_THAT(errorOf("SELECT :a + :b", {{"a", std::int64_t{1}}}),
                HasSubstr("wants a value for :b"));
}

TEST(SqlConsole, ParametersAreNamed) {
    SqlConsole console(recordedSession());
    EXPECT_THAT(console.parameters("SELECT :b, @a, $c, :b"), ElementsAre("b", "a", "c"));
    const SqlResult result = console.run(
        "SELECT :b || :a, typeof(:c)",
        {{"a", std::string("x")}, {"b", std::int64_t{4}}, {"c", SqlCell()}, {"other", 1.0}});
    EXPECT_THAT(result.rows.at(0),
                ElementsAre(SqlCell(std::string("4x")), SqlCell(std::string("null"))));
}

TEST(SqlConsole, LargeResultsAreCutWithANotice) {
    SqlConsole console(recordedSession());
    const std::string million =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) "
        "SELECT i FROM n";
    const SqlResult byRows = console.run(million, {}, {1000, 1 << 30});
    EXPECT_EQ(byRows.rows.size(), 1000U);
    EXPECT_THAT(byRows.notice, HasSubstr("first 1000 rows"));
    const SqlResult byBytes =
        console.run("SELECT randomblob(1000) FROM (" + million + ")", {}, {1 << 20, 100'000});
    EXPECT_TRUE(byBytes.truncated());
    EXPECT_LT(byBytes.rows.size(), 100U);
    EXPECT_GT(byBytes.rows.size(), 80U);
    EXPECT_FALSE(console.run(million + " LIMIT 1000", {}, {1000, 1 << 30}).truncated());
}

constexpr const char* kEndless =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

TEST(SqlConsole, ARunawayQueryEndsFromAnotherThread) {
    SqlConsole console(recordedSession());
    std::stop_source source;
    auto running =
        std::async(std::launch::async, [&] { console.run(kEndless, {}, {}, source.get_token()); });
    EXPECT_EQ(running.wait_for(std::chrono::milliseconds(30)), std::future_status::timeout);
    source.request_stop();
    EXPECT_THROW(running.get(), Cancelled);
    EXPECT_EQ(wholeOf(console, "SELECT count(*) FROM sessions"), 3);  // it goes on working
    EXPECT_THROW(console.run("SELECT 1", {}, {}, source.get_token()), Cancelled);
}

TEST(SqlConsole, AQueryThatEatsMemoryIsStopped) {
    SqlConsole console(recordedSession());
    SqlLimits limits;
    limits.workBytes = 32 << 20;
    try {
        console.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 400) "
            "SELECT json_group_array(printf('%.*c', 1000000, 'x')) FROM n",
            {}, limits);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("more than 32 MB of memory"));
    }
}

TEST(SqlConsole, AFileBeingWrittenIsReadAsItGrows) {
    const TempFolder folder;
    const auto log = SessionLog::open(folder / "s.db");
    const std::int64_t session = log->beginSession(Arbitrary(1).info());
    SqlConsole console(folder / "s.db");
    EXPECT_EQ(wholeOf(console, "SELECT count(*) FROM messages"), 0);
    log->addUserTurn(session, "hello");
    log->flush();
    EXPECT_EQ(wholeOf(console, "SELECT count(*) FROM messages"), 1);
}

TEST(SqlConsole, EveryViewHasTheColumnsItSays) {
    SqlConsole console(recordedSession());
    for (const ConsoleView& view : consoleViews()) {
        std::vector<std::string> columns;
        for (const ConsoleColumn& column : view.columns) {
            columns.emplace_back(column.name);
        }
        EXPECT_EQ(console.run(fmt::format("SELECT * FROM {} LIMIT 2", view.name)).columns, columns)
            << view.name;
    }
}

TEST(SqlConsole, EveryViewIsDocumented) {
    const std::string text =
        readFile(std::filesystem::path(GATESCOPE_GOLDEN_DIR).parent_path().parent_path() /
                 "docs/session-schema.md");
    const std::size_t begin = text.find("## Views of the console");
    ASSERT_NE(begin, std::string::npos);
    for (const ConsoleView& view : consoleViews()) {
        const std::size_t section = text.find(fmt::format("`{}`", view.name), begin);
        ASSERT_NE(section, std::string::npos) << view.name;
        for (const ConsoleColumn& column : view.columns) {
            EXPECT_NE(text.find(fmt::format("`{}`", column.name), begin), std::string::npos)
                << view.name << "." << column.name;
        }
    }
}

/// How SQLite will answer the query, in its own words.
std::string planOf(const std::string& sql) {
    SqlConsole console(recordedSession());
    std::string plan;
    for (const auto& row : console.run("EXPLAIN QUERY PLAN " + sql).rows) {
        plan += std::get<std::string>(row.back()) + "\n";
    }
    return plan;
}

TEST(SqlConsole, AQuestionAboutOneSessionReadsNoOther) {
    EXPECT_THAT(planOf("SELECT * FROM choices WHERE session = 1 AND turn = 1"),
                HasSubstr("session = ?1 AND turn = ?2"));
    EXPECT_THAT(planOf("SELECT * FROM layer_load WHERE session = 1"), HasSubstr("session = ?1"));
    EXPECT_THAT(planOf("SELECT * FROM choices WHERE layer = 4 AND expert = 3 AND turn > 2"),
                HasSubstr("INDEX 1:turn > ?1"));
    for (const char* view : {"messages", "answer_figures", "token_texts", "step_times",
                             "draft_outcomes", "routed_positions"}) {
        EXPECT_THAT(planOf(fmt::format("SELECT * FROM {} WHERE session = 1 AND turn = 1", view)),
                    testing::Not(HasSubstr("SCAN")))
            << view;
    }
}

/// The same rows by decoding what load() gives.
TEST(SqlConsole, ChoicesAreWhatWasRecorded) {
    SqlConsole console(recordedSession());
    const SessionStore store(recordedSession());
    for (const std::int64_t session : {1, 2, 3}) {
        const StoredSession stored = store.load(session);
        std::vector<std::vector<SqlCell>> expected;
        for (const StoredTurn& turn : stored.turns) {
            for (std::size_t seq = 0; seq < turn.steps.size(); ++seq) {
                for (const bool mtp : {false, true}) {
                    const auto& tokens = mtp ? turn.steps[seq].mtp : turn.steps[seq].tokens;
                    for (const RoutedToken& token : tokens) {
                        const TokenRouting& routing = token.routing;
                        const std::size_t k = routing.rows() == 0
                                                  ? 0
                                                  : routing.experts.size() / routing.margins.size();
                        for (std::size_t i = 0; i < routing.experts.size(); ++i) {
                            const std::size_t row = i / k;
                            const auto& layers = stored.info.shape.layers;
                            SqlCell layer;
                            if (mtp) layer = std::int64_t{stored.info.shape.mtpLayer};
                            if (!mtp && row < layers.size()) layer = std::int64_t{layers[row]};
                            expected.push_back(
                                {std::int64_t{turn.turn}, static_cast<std::int64_t>(seq),
                                 std::int64_t{mtp}, std::int64_t{token.position},
                                 std::int64_t{token.tokenId}, layer,
                                 static_cast<std::int64_t>(i % k), std::int64_t{routing.experts[i]},
                                 static_cast<double>(routing.weights[i]),
                                 static_cast<double>(routing.margins[row]),
                                 std::int64_t{routing.biasDecided[row] >> (i % k) & 1}});
                        }
                    }
                }
            }
        }
        ASSERT_GT(expected.size(), 0U);
        const SqlResult result = console.run(
            "SELECT turn, seq, mtp, position, token_id, layer, rank, expert, weight, margin, "
            "bias_decided FROM choices WHERE session = :s ORDER BY turn, seq, mtp, idx, rowid",
            {{"s", session}});
        EXPECT_EQ(result.rows, expected) << session;
    }
}

TEST(SqlConsole, ConditionsOfChoicesAreKept) {
    SqlConsole console(recordedSession());
    const auto count = [&console](const std::string& where) {
        return wholeOf(console, "SELECT count(*) FROM choices WHERE " + where);
    };
    const std::int64_t all = count("1");
    for (const char* column : {"session", "turn", "seq", "mtp", "idx", "position", "token_id",
                               "special", "layer", "rank", "expert"}) {
        std::int64_t sum = 0;
        const SqlResult values =
            console.run(fmt::format("SELECT DISTINCT {} FROM choices", column));
        for (const auto& row : values.rows) {
            const auto* value = std::get_if<std::int64_t>(&row[0]);
            sum += count(value == nullptr ? fmt::format("{} IS NULL", column)
                                          : fmt::format("{} = {}", column, *value));
        }
        EXPECT_EQ(sum, all) << column;
        EXPECT_EQ(count(fmt::format("+{0} <= 2 AND {0} > 1", column)),
                  count(fmt::format("+{0} = 2", column)))
            << column;
    }
    EXPECT_EQ(count("phase = 'decode'") + count("phase <> 'decode'"), all);
    EXPECT_EQ(count("session IN (1, 3)"), all - count("session = 2"));
    EXPECT_EQ(count("session = '1'"), count("session = 1"));
    EXPECT_EQ(count("session = 1.5"), 0);
    EXPECT_EQ(count("layer = '1'"), count("+layer = 1"));
    EXPECT_EQ(count("session = 1 AND layer = 2 AND turn = 1"),
              count("+session = 1 AND +layer = 2 AND +turn = 1"));
    EXPECT_EQ(
        wholeOf(console, "SELECT count(*) FROM sessions s JOIN choices c ON c.session = s.id"),
        all);
}

TEST(SqlConsole, ADamagedBlobEndsTheQueryWithItsPlace) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 5);
    {
        SQLite::Database database((folder / "s.db").string(), SQLite::OPEN_READWRITE);
        database.exec("INSERT INTO routing VALUES (1, 1, 4, 0, 999, 0, 0, 'decode', 0, x'0102')");
    }
    SqlConsole console(folder / "s.db");
    try {
        console.run("SELECT count(*) FROM choices");
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("session 1, turn 1, step 4: routing blob"));
    }
    EXPECT_EQ(wholeOf(console, "SELECT count(*) FROM choices WHERE session = 9"), 0);
}

TEST(SqlConsole, AFileWithViewsOfItsOwnGetsNoneOfOurFunctions) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 2);
    {
        SQLite::Database database((folder / "s.db").string(), SQLite::OPEN_READWRITE);
        database.exec("CREATE VIEW bad AS SELECT load_extension('evil')");
        database.exec(
            "CREATE VIEW looped AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT "
            "i + 1 FROM n) SELECT count(*) FROM n");
    }
    SqlConsole console(folder / "s.db");
    EXPECT_THROW(console.run("SELECT * FROM bad"), Error);
    std::stop_source source;
    std::jthread stopper([&source] { source.request_stop(); });
    EXPECT_THROW(console.run("SELECT * FROM looped", {}, {}, source.get_token()), Cancelled);
}

TEST(SqlConsole, WorksInAReadOnlyFolderAndOnTheFirstVersion) {
    const TempFolder folder;
    std::filesystem::create_directory(folder / "old");
    const std::filesystem::path file = folder / "old" / "s.db";
    {
        SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        migrate(database, sessionMigrations().first(1));
        database.exec(
            "INSERT INTO sessions VALUES (1, 5, 9, 't', 'm', 'p', 'f', '{}', 'cpu', 'exact', "
            "'{}')");
        database.exec(
            "INSERT INTO turns (session, turn, role, text, created_ms) VALUES (1, 1, "
            "'assistant', 'abcd', 7)");
        database.exec(
            "INSERT INTO answers VALUES (1, 1, 7, 9, 'length', '{}', 3, 0.5, 'mtp', 0, "
            "NULL, NULL, NULL)");
        for (const char* seq : {"1", "2"}) {
            database.exec(
                fmt::format("INSERT INTO steps VALUES (1, 1, {0}, {0}, 2000000, 0, 0, 0, "
                            "1, 8, 8, 64, 0, 0, 0, 4, 100, 256, 'F32')",
                            seq));
        }
        database.exec("INSERT INTO drafts VALUES (1, 1, 1, 11, 1, 0.75, 0.5, 17)");
        database.exec("INSERT INTO drafts VALUES (1, 1, 2, 99, 0, NULL, NULL, 0)");
    }
    std::filesystem::permissions(
        folder / "old", std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    SqlConsole console(file);
    const SqlResult drafts = console.run(
        "SELECT place, source, id, accepted, judged FROM "
        "draft_outcomes ORDER BY seq");
    ASSERT_EQ(drafts.rows.size(), 2U);
    EXPECT_THAT(drafts.rows[0], ElementsAre(SqlCell(std::int64_t{1}), SqlCell(std::string("mtp")),
                                            SqlCell(std::int64_t{11}), SqlCell(std::int64_t{1}),
                                            SqlCell(std::int64_t{1})));
    const SqlResult steps =
        console.run("SELECT total_ms, drafted, distinct_experts FROM step_times WHERE seq = 1");
    EXPECT_THAT(steps.rows.at(0),
                ElementsAre(SqlCell(2.0), SqlCell(std::int64_t{1}), SqlCell(std::int64_t{17})));
    EXPECT_EQ(wholeOf(console, "SELECT accepted FROM answer_figures"), 1);
    std::filesystem::permissions(folder / "old", std::filesystem::perms::owner_all);

    // A writer migrates it while the console looks at it.
    SessionLog::open(file)->flush();
    EXPECT_EQ(wholeOf(console, "SELECT accepted FROM answer_figures"), 1);
}

TEST(SqlConsole, OtherFilesAreRefused) {
    const TempFolder folder;
    EXPECT_THROW(SqlConsole(folder / "none.db"), Error);
    writeFile(folder / "text.db", "not a database at all, but long enough to be one of them");
    EXPECT_THROW(SqlConsole(folder / "text.db"), Error);
    SQLite::Database((folder / "other.db").string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec("CREATE TABLE t (x)");
    EXPECT_THROW(SqlConsole(folder / "other.db"), Error);
}

}  // namespace
}  // namespace gatescope
