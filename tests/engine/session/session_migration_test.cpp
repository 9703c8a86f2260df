// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/error.h"
#include "engine/session/schema.h"
#include "engine/session/settings_json.h"
#include "engine/trace/routing_codec.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
namespace fs = std::filesystem;
using testing::HasSubstr;

/// As version 1 wrote them: an answer of four tokens in two verify steps behind the prefill, the
/// first draft accepted, the second replaced; recorded without probabilities of the second draft.
constexpr const char* kFirstVersionRows = R"sql(
INSERT INTO turns (session, turn, role, text, created_ms) VALUES (1, 0, 'user', 'Which expert?', 6);
INSERT INTO turns (session, turn, role, text, created_ms) VALUES (1, 1, 'assistant', 'abcd', 7);
INSERT INTO answers VALUES (1, 1, 7, 9, 'length', '{"speculate": "mtp", "temperature": 0.5}', 3,
    0.5, 'mtp', 0, x'01000000', x'0A0000000B0000000C0000000D000000',
    '{"speculation": {"steps": 2, "drafted": 2, "accepted": 1, "main_forwards": 3}}');
INSERT INTO tokens VALUES (1, 1, 0, 1, 10, x'61', 0.5, 0.25, x'', 'none', -1, 0);
INSERT INTO tokens VALUES (1, 1, 1, 2, 11, x'62', 0.5, NULL, x'', 'accepted', -1, 1);
INSERT INTO tokens VALUES (1, 1, 2, 3, 12, x'63', 0.5, 0.25, x'', 'none', -1, 1);
INSERT INTO tokens VALUES (1, 1, 3, 4, 13, x'64', 0.5, 0.25, x'', 'rejected', 99, 2);
INSERT INTO steps VALUES (1, 1, 0, 0, 40, 0, 1, 2, 1, 8, 8, 64, 0, 0, 0, 4, 100, 256, 'F32');
INSERT INTO steps VALUES (1, 1, 1, 1, 41, 5, 1, 2, 3, 8, 24, 64, 2, 8, 32, 4, 100, 256, 'F32');
INSERT INTO steps VALUES (1, 1, 2, 2, 42, 6, 1, 2, 4, 8, 32, 64, 3, 12, 32, 4, 100, 256, 'F32');
INSERT INTO drafts VALUES (1, 1, 1, 11, 1, 0.75, 0.5, 17);
INSERT INTO drafts VALUES (1, 1, 2, 99, 0, NULL, NULL, 0);
)sql";

void makeFirstVersion(const fs::path& file) {
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    migrate(database, sessionMigrations().first(1));
    database.execAndGet("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA foreign_keys = ON");
    SQLite::Statement session(
        database,
        "INSERT INTO sessions VALUES (1, 5, 9, 't', 'm', 'p', 'f', '{}', 'cpu', 'exact', "
        "?)");
    session.bind(1, shapeToJson(Arbitrary(1).info().shape));
    session.exec();
    database.exec(kFirstVersionRows);
    TokenRouting routing;
    routing.experts = {3, 1, 2};
    routing.weights = {0.5F, 0.25F, 0.25F};
    routing.margins = {0.125F};
    routing.biasDecided = {4};
    const std::vector<std::uint8_t> blob = encodeRouting(routing);
    SQLite::Statement row(database,
                          "INSERT INTO routing VALUES (1, 1, 2, 0, 0, 3, 12, 'decode', 0, ?)");
    row.bind(1, blob.data(), static_cast<int>(blob.size()));
    row.exec();
}

int versionOf(const fs::path& file) {
    return SQLite::Database(file.string()).execAndGet("PRAGMA user_version").getInt();
}

/// What version 1 kept, whether the file still is one or was migrated.
void expectFirstVersionContent(const StoredSession& stored) {
    ASSERT_EQ(stored.turns.size(), 2U);
    EXPECT_EQ(stored.turns[0].text, "Which expert?");
    const StoredTurn& answer = stored.turns[1];
    EXPECT_EQ(settingsFromJson(answer.paramsJson).speculate, Speculate::Mtp);
    ASSERT_EQ(answer.tokens.size(), 4U);
    EXPECT_EQ(answer.tokens[0].draft, TokenEvent::Draft::None);
    EXPECT_EQ(answer.tokens[1].draft, TokenEvent::Draft::Accepted);
    EXPECT_EQ(answer.tokens[1].bytes, "b");
    EXPECT_TRUE(std::isnan(answer.tokens[1].rawProbability));
    EXPECT_EQ(answer.tokens[3].draft, TokenEvent::Draft::Rejected);
    EXPECT_EQ(answer.tokens[3].rejectedDraftId, 99);
    EXPECT_EQ(answer.tokens[3].step, 2);
    ASSERT_EQ(answer.steps.size(), 3U);
    EXPECT_FALSE(answer.steps[0].speculation.has_value());
    ASSERT_TRUE(answer.steps[1].speculation.has_value());
    const SpeculativeStep& taken = *answer.steps[1].speculation;
    EXPECT_EQ(taken.source, DraftSource::Mtp);
    EXPECT_EQ(taken.accepted, 1);
    EXPECT_EQ(taken.matchLength, 0);
    EXPECT_TRUE(taken.distinctExperts.empty());
    ASSERT_EQ(taken.drafted(), 1);
    EXPECT_EQ(taken.drafts[0].id, 11);
    EXPECT_EQ(taken.drafts[0].draftProbability, 0.75F);
    EXPECT_EQ(taken.drafts[0].targetProbability, 0.5F);
    const SpeculativeStep& refused = answer.steps[2].speculation.value();
    EXPECT_EQ(refused.accepted, 0);
    EXPECT_EQ(refused.drafts.at(0).id, 99);
    EXPECT_TRUE(std::isnan(refused.drafts[0].draftProbability));
    EXPECT_EQ(answer.steps[2].timing.draftNs, 6);
    EXPECT_EQ(answer.steps[2].cache.mtpReserved, 32);
    EXPECT_EQ(answer.steps[2].tokens.at(0).routing.experts, (std::vector<std::uint16_t>{3, 1, 2}));
    ASSERT_TRUE(answer.result.has_value());
    EXPECT_EQ(answer.result->speculation.accepted, 1);
}

TEST(SessionMigration, ManyDraftsKeepWhatOneDraftWrote) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    makeFirstVersion(file);
    EXPECT_EQ(SessionLog::open(file)->notice(), "");
    EXPECT_EQ(versionOf(file), 3);
    EXPECT_EQ(quickCheck(file), "ok");
    expectFirstVersionContent(SessionStore(file).load(1));

    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE);
    SQLite::Statement broken(database, "PRAGMA foreign_key_check");
    EXPECT_FALSE(broken.executeStep());
    EXPECT_EQ(
        database.execAndGet("SELECT distinct_experts FROM verify_steps WHERE seq = 1").getInt(),
        17);
    EXPECT_EQ(database
                  .execAndGet("SELECT count(*) FROM verify_steps WHERE distinct_experts IS NULL "
                              "AND seq = 2 AND source = 'mtp' AND drafted = 1")
                  .getInt(),
              1);
}

TEST(SessionMigration, ForeignKeysHoldAfterwards) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    makeFirstVersion(file);
    SessionLog::open(file);
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE);
    database.exec("PRAGMA foreign_keys = ON");
    database.exec("INSERT INTO tokens VALUES (1, 1, 4, 5, 14, x'65', 1, 1, x'', 'bonus', -1, 2)");
    EXPECT_THROW(
        database.exec(
            "INSERT INTO tokens VALUES (1, 1, 5, 6, 14, x'65', 1, 1, x'', 'lucky', -1, 2)"),
        SQLite::Exception);
    EXPECT_THROW(database.exec(
                     "INSERT INTO tokens VALUES (7, 1, 4, 5, 14, x'65', 1, 1, x'', 'none', -1, 2)"),
                 SQLite::Exception);
    EXPECT_THROW(database.exec("INSERT INTO drafts VALUES (1, 1, 0, 0, 5, 1, 1, 1)"),
                 SQLite::Exception);  // a step that verified nothing
    database.exec("DELETE FROM sessions");
    for (const char* table : {"turns", "tokens", "steps", "verify_steps", "drafts", "routing"}) {
        EXPECT_EQ(database.execAndGet(std::string("SELECT count(*) FROM ") + table).getInt(), 0)
            << table;
    }
}

TEST(SessionMigration, CountsOfEarlierVersionsAreMadeOnceAndThenKept) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    makeFirstVersion(file);
    SessionLog::open(file);
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE);
    database.exec("PRAGMA foreign_keys = ON");
    const auto row = [&database] {
        return database
            .execAndGet(
                "SELECT turn_count || ' ' || token_count || ' ' || pinned || ' ' || "
                "coalesce(deleted_ms, branched_from_session, branched_from_turn, "
                "branched_from_seq, 'NULL') FROM sessions")
            .getString();
    };
    EXPECT_EQ(row(), "2 4 0 NULL");
    database.exec("UPDATE turns SET replaced = 1 WHERE turn = 1");
    database.exec("UPDATE answers SET ids = x'0A0000000B000000'");
    EXPECT_EQ(row(), "1 2 0 NULL");
    database.exec(
        "INSERT INTO turns (session, turn, role, text, created_ms) VALUES (1, 2, 'user', 'b', 9)");
    database.exec(
        "INSERT INTO turns (session, turn, role, text, created_ms, replaced) "
        "VALUES (1, 3, 'assistant', 'c', 9, 1)");
    EXPECT_EQ(row(), "2 2 0 NULL");
    database.exec("DELETE FROM turns WHERE turn IN (1, 2)");
    EXPECT_EQ(row(), "1 0 0 NULL");
    database.exec("INSERT INTO session_tags VALUES (1, 'story')");
    EXPECT_THROW(database.exec("INSERT INTO session_tags VALUES (2, 'nobody')"), SQLite::Exception);
    database.exec("DELETE FROM sessions");
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM session_tags").getInt(), 0);
}

TEST(SessionMigration, AnOlderFileIsReadAsItIs) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    makeFirstVersion(file);
    const std::string before = readFile(file);
    {
        const SessionStore store(file);
        expectFirstVersionContent(store.load(1));
        EXPECT_EQ(store.search("expert").size(), 1U);
    }
    EXPECT_EQ(readFile(file), before);
    EXPECT_EQ(versionOf(file), 1);
}

TEST(SessionMigration, AReaderLivesThroughIt) {
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    makeFirstVersion(file);
    const SessionStore store(file);
    expectFirstVersionContent(store.load(1));
    const auto log = SessionLog::open(file);
    const int turn = log->beginAnswer(1, {}, 0);
    Arbitrary arbitrary(3);
    StepTrace step = arbitrary.step();
    step.speculation.emplace().drafts = {{4, 0.5F, 0.5F}, {5, 0.5F, NAN}};
    log->step(1, turn, step);
    log->flush();
    expectSame(store.load(1).turns.at(2).steps.at(0), step);
}

/// One recorded verify step with three drafts, two accepted.
void makeVerifyStep(const fs::path& file) {
    const auto log = SessionLog::open(file);
    const std::int64_t session = log->beginSession(Arbitrary(1).info());
    const int turn = log->beginAnswer(session, {}, 0);
    StepTrace step;
    SpeculativeStep& speculation = step.speculation.emplace();
    speculation.drafts = {{1, 1, 1}, {2, 1, 1}, {3, 1, NAN}};
    speculation.accepted = 2;
    speculation.distinctExperts = {7, 300, 9};
    speculation.wastedExperts = {1, 2, 3};
    log->step(session, turn, step);
}

std::string errorAfter(const std::string& change) {
    const TempFolder folder;
    makeVerifyStep(folder / "s.db");
    SQLite::Database database((folder / "s.db").string(), SQLite::OPEN_READWRITE);
    database.exec("PRAGMA ignore_check_constraints = ON");
    database.exec(change);
    try {
        (void)SessionStore(folder / "s.db").load(1);
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

TEST(SessionMigration, TotalsAndLayersAreWhereThePageSays) {
    const TempFolder folder;
    makeVerifyStep(folder / "s.db");
    SQLite::Database database((folder / "s.db").string());
    const auto text = [&database](const std::string& query) {
        return database.execAndGet(query).getString();
    };
    EXPECT_EQ(text("SELECT distinct_experts || ' ' || wasted_experts FROM verify_steps"), "316 6");
    EXPECT_EQ(text("SELECT hex(distinct_by_layer) FROM verify_steps"), "07002C010900");
    EXPECT_EQ(text("SELECT hex(wasted_by_layer) FROM verify_steps"), "010002000300");
    EXPECT_EQ(text("SELECT idx || typeof(target_probability) FROM drafts WHERE id = 3"), "2null");
}

TEST(SessionMigration, RowsThatCannotBeAreNamed) {
    EXPECT_EQ(errorAfter("SELECT 1"), "");
    const auto expectNamed = [](const std::string& change, const std::string& sentence) {
        EXPECT_THAT(errorAfter(change), HasSubstr(sentence)) << change;
    };
    expectNamed("UPDATE verify_steps SET accepted = 4", "4 of 3 drafts accepted");
    expectNamed("UPDATE verify_steps SET accepted = -1", "-1 of 3 drafts accepted");
    expectNamed("UPDATE verify_steps SET drafted = 9223372036854775807", "drafts accepted");
    expectNamed("UPDATE verify_steps SET drafted = 2000000000", "of 2000000000 drafts has 3");
    expectNamed("UPDATE verify_steps SET drafted = 2", "of 2 drafts has 3");
    expectNamed("UPDATE verify_steps SET match_length = -3", "a match of -3 tokens");
    expectNamed("UPDATE verify_steps SET source = 'medusa'", "draft source \"medusa\"");
    expectNamed("UPDATE verify_steps SET distinct_by_layer = x'010203'", "3 bytes are no whole");
    expectNamed("UPDATE verify_steps SET wasted_by_layer = x'0102'", "experts of 1 layers");
    expectNamed("UPDATE verify_steps SET distinct_by_layer = zeroblob(100000)",
                "experts of 50000 layers, the model has 3");
    expectNamed("UPDATE drafts SET idx = 7 WHERE idx = 1", "comes after 1 drafts");
    expectNamed("DELETE FROM drafts WHERE idx = 2", "of 3 drafts has 2");
    expectNamed("UPDATE drafts SET accepted = 0 WHERE idx = 1", "is marked as rejected");
    expectNamed("UPDATE drafts SET accepted = 1 WHERE idx = 2", "is marked as accepted");
    expectNamed("PRAGMA foreign_keys = OFF; DELETE FROM verify_steps", "a draft without its");
    expectNamed("PRAGMA foreign_keys = OFF; DELETE FROM steps", "a row without its step");
}

}  // namespace
}  // namespace gatescope
