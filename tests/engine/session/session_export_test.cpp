// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"
#include "engine/session/schema.h"
#include "engine/session/session_import.h"
#include "tests/engine/session/recorded_session.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Numbers = std::vector<std::int64_t>;

/// Routing in every layer or in none, as an import wants it.
void fit(std::vector<RoutedToken>& tokens, std::size_t layers) {
    for (RoutedToken& token : tokens) {
        TokenRouting& routing = token.routing;
        if (routing.rows() == 0) continue;
        routing.experts.resize(layers * 3, 7);
        routing.weights.resize(layers * 3, 0.25F);
        routing.margins.resize(layers, 0.5F);
        routing.biasDecided.resize(layers, 5);
    }
}

void writeAnswer(SessionLog& log, std::int64_t session, Arbitrary& arbitrary, bool ends) {
    const int turn = log.beginAnswer(session, arbitrary.params(), 2);
    log.promptTokens(session, turn, {1, 2, 3});
    for (std::uint32_t i = arbitrary.below(300); i > 0; --i) {
        log.token(session, turn, arbitrary.token());
    }
    for (std::uint32_t i = arbitrary.below(12); i > 0; --i) {
        StepTrace step = arbitrary.step();
        fit(step.tokens, 3);
        fit(step.mtp, 1);
        log.step(session, turn, step);
    }
    if (ends) log.endAnswer(session, turn, arbitrary.result());
}

/// Sessions with everything set to something, one of them with an answer that never ended.
void makeArbitraryFile(const fs::path& file, unsigned seed) {
    const auto log = SessionLog::open(file);
    Arbitrary arbitrary(seed);
    for (int i = 0; i < 3; ++i) {
        const std::int64_t session = log->beginSession(arbitrary.info());
        log->addUserTurn(session, arbitrary.text());
        writeAnswer(*log, session, arbitrary, true);
        log->replaceTurn(session, 1);
        log->addUserTurn(session, arbitrary.text());
        writeAnswer(*log, session, arbitrary, i != 1);
    }
    log->flush();
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE);
    database.exec("PRAGMA foreign_keys = ON");
    database.exec("INSERT INTO session_tags VALUES (1, 'a tag'), (1, '中文'), (3, 'x')");
    database.exec(
        "UPDATE sessions SET pinned = 1, branched_from_session = 1, branched_from_turn = "
        "1, branched_from_seq = 4 WHERE id = 2");
    database.exec("UPDATE sessions SET created_ms = id * 1000, updated_ms = id * 2000");
}

/// Where the first row that differs is; empty if all tables hold the same. Row numbers, which are a
/// file's own, and sessions' numbers are left out.
std::string difference(const fs::path& first, const fs::path& second, std::int64_t offset) {
    SQLite::Database database(first.string(), SQLite::OPEN_READONLY);
    database.exec("ATTACH '" + second.string() + "' AS other");
    for (const char* table : {"sessions", "session_tags", "turns", "answers", "tokens", "steps",
                              "verify_steps", "drafts", "routing"}) {
        std::string mine;
        std::string others;
        SQLite::Statement columns(database, "SELECT name FROM pragma_table_info(?)");
        columns.bind(1, table);
        const bool head = std::string(table) == "sessions";
        while (columns.executeStep()) {
            const std::string name = columns.getColumn(0).getString();
            if (!head && name == "id" && std::string(table) == "turns") continue;
            const bool number =
                name == (head ? "id" : "session") || name == "branched_from_session";
            mine +=
                (mine.empty() ? "" : ", ") + name + (number ? " + " + std::to_string(offset) : "");
            others += (others.empty() ? "" : ", ") + name;
        }
        for (const auto& [a, b] : {std::pair("SELECT " + mine + " FROM main." + table,
                                             "SELECT " + others + " FROM other." + table),
                                   std::pair("SELECT " + others + " FROM other." + table,
                                             "SELECT " + mine + " FROM main." + table)}) {
            SQLite::Statement rows(database, "SELECT count(*) FROM (" + a + " EXCEPT " + b + ")");
            rows.executeStep();
            if (rows.getColumn(0).getInt() != 0) {
                return std::to_string(rows.getColumn(0).getInt()) + " rows of " + table + ": " + a;
            }
        }
    }
    return "";
}

class RoundTrip : public testing::TestWithParam<SessionFormat> {};

TEST_P(RoundTrip, EveryRowIsTheSame) {
    for (unsigned seed = 1; seed <= 2; ++seed) {
        const TempFolder folder;
        makeArbitraryFile(folder / "s.db", seed);
        exportSessions(folder / "s.db", Numbers{1, 2, 3}, GetParam(), folder / "out");
        EXPECT_EQ(importSessions(folder / "new.db", folder / "out"), (Numbers{1, 2, 3}));
        EXPECT_EQ(difference(folder / "s.db", folder / "new.db", 0), "");
        EXPECT_EQ(quickCheck(folder / "new.db"), "ok");
        // A second time: copies under numbers of their own.
        EXPECT_EQ(importSessions(folder / "new.db", folder / "out"), (Numbers{4, 5, 6}));
        SQLite::Database((folder / "new.db").string(), SQLite::OPEN_READWRITE)
            .exec("PRAGMA foreign_keys = ON; DELETE FROM sessions WHERE id <= 3");
        EXPECT_EQ(difference(folder / "s.db", folder / "new.db", 3), "");
    }
}

TEST_P(RoundTrip, WhatIsLoadedIsTheSame) {
    const TempFolder folder;
    exportSessions(recordedSession(), Numbers{2, 1}, GetParam(), folder / "out");
    ASSERT_EQ(importSessions(folder / "new.db", folder / "out").size(), 2U);
    const SessionStore before(recordedSession());
    const SessionStore after(folder / "new.db");
    for (const SessionSummary& summary : after.list()) {
        const StoredSession copy = after.load(summary.id);
        for (const SessionSummary& original : before.list()) {
            if (original.title != summary.title) continue;
            const StoredSession stored = before.load(original.id);
            expectSame(copy.info, stored.info);
            EXPECT_EQ(summary.createdMs, original.createdMs);
            EXPECT_EQ(summary.updatedMs, original.updatedMs);
            EXPECT_EQ(summary.turns, original.turns);
            EXPECT_EQ(summary.tokens, original.tokens);
            ASSERT_EQ(copy.turns.size(), stored.turns.size());
            for (std::size_t t = 0; t < stored.turns.size(); ++t) {
                const StoredTurn& a = copy.turns[t];
                const StoredTurn& b = stored.turns[t];
                EXPECT_EQ(a.text, b.text);
                EXPECT_EQ(a.finish, b.finish);
                EXPECT_EQ(a.paramsJson, b.paramsJson);
                EXPECT_EQ(a.promptIds, b.promptIds);
                ASSERT_EQ(a.tokens.size(), b.tokens.size());
                for (std::size_t i = 0; i < b.tokens.size(); ++i) {
                    expectSame(a.tokens[i], b.tokens[i]);
                }
                ASSERT_EQ(a.steps.size(), b.steps.size());
                for (std::size_t i = 0; i < b.steps.size(); ++i) expectSame(a.steps[i], b.steps[i]);
                ASSERT_EQ(a.result.has_value(), b.result.has_value());
                if (b.result) expectSame(*a.result, *b.result);
            }
        }
    }
}

TEST_P(RoundTrip, ABranchWhoseOriginStaysBehindForgetsIt) {
    const TempFolder folder;
    makeArbitraryFile(folder / "s.db", 5);
    exportSessions(folder / "s.db", Numbers{2}, GetParam(), folder / "out");
    EXPECT_EQ(importSessions(folder / "new.db", folder / "out"), (Numbers{1}));
    SQLite::Database database((folder / "new.db").string());
    EXPECT_TRUE(database.execAndGet("SELECT branched_from_session FROM sessions").isNull());
    EXPECT_EQ(database.execAndGet("SELECT pinned FROM sessions").getInt(), 1);
}

TEST_P(RoundTrip, WorksFromTheFirstVersion) {
    const TempFolder folder;
    {
        SQLite::Database database((folder / "old.db").string(),
                                  SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        migrate(database, sessionMigrations().first(1));
        database.exec(
            "INSERT INTO sessions VALUES (7, 5, 9, 't', 'm', 'p', 'f', '{}', 'cpu', 'exact', "
            "'{}')");
        database.exec(
            "INSERT INTO turns (session, turn, role, text, created_ms) VALUES (7, 1, "
            "'assistant', 'abcd', 7)");
        database.exec(
            "INSERT INTO answers VALUES (7, 1, 7, 9, 'length', '{}', 3, 0.5, 'mtp', 0, "
            "NULL, x'0100000002000000', '{}')");
        database.exec(
            "INSERT INTO steps VALUES (7, 1, 0, 0, 2000000, 0, 0, 0, 1, 8, 8, 64, 0, 0, "
            "0, 4, 100, 256, 'F32')");
        database.exec("INSERT INTO drafts VALUES (7, 1, 0, 11, 1, 0.75, 0.5, 17)");
    }
    const std::string before = readFile(folder / "old.db");
    exportSessions(folder / "old.db", Numbers{7}, GetParam(), folder / "out");
    EXPECT_EQ(readFile(folder / "old.db"), before);
    ASSERT_EQ(importSessions(folder / "new.db", folder / "out").size(), 1U);
    const StoredSession stored = SessionStore(folder / "new.db").load(1);
    EXPECT_EQ(stored.turns.at(0).text, "abcd");
    EXPECT_EQ(stored.turns[0].steps.at(0).speculation.value().drafts.at(0).id, 11);
    // Straight from the old file as well.
    EXPECT_EQ(importSessions(folder / "new.db", folder / "old.db"), (Numbers{2}));
}

TEST_P(RoundTrip, ProgressIsToldAndCanEndTheWork) {
    const TempFolder folder;
    makeArbitraryFile(folder / "s.db", 2);
    writeFile(folder / "out", "what was there before");
    std::uint64_t last = 0;
    const Progress never = [](std::string_view, std::uint64_t, std::uint64_t) { return false; };
    EXPECT_THROW(exportSessions(folder / "s.db", Numbers{1}, GetParam(), folder / "out", never),
                 Cancelled);
    EXPECT_EQ(readFile(folder / "out"), "what was there before");
    exportSessions(folder / "s.db", Numbers{1, 3}, GetParam(), folder / "out",
                   [&last](std::string_view, std::uint64_t done, std::uint64_t total) {
                       EXPECT_GE(done, last);
                       EXPECT_LE(done, total);
                       last = done;
                       return true;
                   });
    EXPECT_GT(last, 0U);
    makeSessionFile(folder / "new.db", 3);
    const Progress untilAdding = [](std::string_view what, std::uint64_t done, std::uint64_t) {
        return what != "Importing" || done < 20;
    };
    EXPECT_THROW(importSessions(folder / "new.db", folder / "out", untilAdding), Cancelled);
    EXPECT_EQ(SessionStore(folder / "new.db").list().size(), 1U);
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder.path())) {
        EXPECT_THAT(entry.path().string(), Not(HasSubstr(".tmp")));
        ++files;
    }
    EXPECT_GE(files, 3U);
}

std::string importError(const fs::path& into, const fs::path& file) {
    try {
        importSessions(into, file);
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

TEST_P(RoundTrip, DamageIsRefusedAndChangesNothing) {
    const TempFolder folder;
    exportSessions(recordedSession(), Numbers{2}, GetParam(), folder / "out");
    makeSessionFile(folder / "new.db", 3);
    const std::string whole = readFile(folder / "out");
    for (const double part : {0.0, 0.001, 0.6, 0.999}) {
        writeFile(
            folder / "cut",
            whole.substr(0, static_cast<std::size_t>(static_cast<double>(whole.size()) * part)));
        EXPECT_THAT(importError(folder / "new.db", folder / "cut"), HasSubstr("cut: ")) << part;
    }
    makeSessionFile(folder / "copy.db", 3);  // is there even if every flip is found
    Arbitrary arbitrary(9);
    int refused = 0;
    for (int i = 0; i < 15; ++i) {  // a flipped bit is found, or harmless, never a crash
        std::string damaged = whole;
        damaged[arbitrary.below(static_cast<std::uint32_t>(whole.size()))] ^=
            static_cast<char>(1U << arbitrary.below(8));
        writeFile(folder / "flipped", damaged);
        refused += importError(folder / "copy.db", folder / "flipped").empty() ? 0 : 1;
    }
    EXPECT_GT(refused, 0);
    EXPECT_EQ(SessionStore(folder / "new.db").list().size(), 1U);
    EXPECT_EQ(quickCheck(folder / "new.db"), "ok");
    for (const SessionSummary& summary : SessionStore(folder / "copy.db").list()) {
        EXPECT_NO_THROW(SessionStore(folder / "copy.db").load(summary.id));
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, RoundTrip,
                         testing::Values(SessionFormat::Sqlite, SessionFormat::JsonLines),
                         [](const auto& of) { return std::string(name(of.param)); });

TEST(SessionImport, HostileLinesAreRefused) {
    const TempFolder folder;
    exportSessions(recordedSession(), Numbers{1}, SessionFormat::JsonLines, folder / "out.jsonl");
    std::vector<std::string> lines;
    std::istringstream in(readFile(folder / "out.jsonl"));
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    const auto errorWith = [&](const std::string& what, const std::string& with,
                               const std::string& type) {
        std::string text;
        bool done = false;
        for (std::string line : lines) {
            const std::size_t at = line.find(what);
            if (!done && line.find("\"type\":\"" + type + "\"") == 1 && at != std::string::npos) {
                line.replace(at, what.size(), with);
                done = true;
            }
            text += line + "\n";
        }
        EXPECT_TRUE(done) << what;
        writeFile(folder / "bad.jsonl", text);
        return importError(folder / "new.db", folder / "bad.jsonl");
    };
    EXPECT_THAT(errorWith("\"version\":1", "\"version\":2", "header"),
                HasSubstr("newer Gatescope"));
    EXPECT_THAT(errorWith("gatescope-sessions", "other", "header"),
                HasSubstr("no file of exported"));
    EXPECT_THAT(errorWith("\"sessions\":1", "\"sessions\":2", "header"),
                HasSubstr("ends too early"));
    EXPECT_THAT(errorWith("\"session\":1", "\"session\":9", "turn"),
                HasSubstr("belongs to no session"));
    EXPECT_THAT(errorWith("\"role\":\"user\"", "\"role\":\"root\"", "turn"), HasSubstr("line 3"));
    EXPECT_THAT(errorWith("\"role\":\"user\"", "\"role\":7", "turn"), HasSubstr("role"));
    EXPECT_THAT(errorWith("\"text\":\"", "\"text\":[1,256],\"x\":\"", "turn"),
                HasSubstr("text[1]"));
    EXPECT_THAT(errorWith("\"from\":0", "\"from\":1", "tokens"),
                HasSubstr("tokens from 0 are missing"));
    EXPECT_THAT(errorWith("\"position\":", "\"position\":3000000000,\"old\":", "tokens"),
                HasSubstr("position"));
    EXPECT_THAT(errorWith("\"experts\":[[", "\"experts\":[[60000,", "routing"),
                HasSubstr("experts"));
    EXPECT_THAT(errorWith("\"experts\":[[", "\"experts\":[[],[", "routing"), HasSubstr("experts"));
    EXPECT_THAT(errorWith("\"margins\":[", "\"margins\":[1,", "routing"), HasSubstr("layers"));
    EXPECT_THAT(errorWith("\"seq\":1", "\"seq\":77", "step"), HasSubstr("refer to others"));
    EXPECT_THAT(errorWith("\"type\":\"turn\"", "\"type\":\"turns\"", "turn"), HasSubstr("no type"));
    EXPECT_THAT(errorWith("\"settings\":{", "\"settings\":[{", "answer"), HasSubstr("line 5"));
    EXPECT_THAT(errorWith("\"finish\":\"", "\"finish\":\"un", "answer"), HasSubstr("turn 1"));
    EXPECT_THAT(
        errorWith("\"settings\":{",
                  "\"settings\":{\"a\":" + std::string(200, '[') + std::string(200, ']') + ",",
                  "answer"),
        HasSubstr("depth"));
    EXPECT_FALSE(fs::exists(folder / "new.db"));
}

TEST(SessionImport, StrangersAreRefused) {
    const TempFolder folder;
    makeSessionFile(folder / "s.db", 3);
    writeFile(folder / "text", "just text\n");
    EXPECT_THAT(importError(folder / "s.db", folder / "text"), HasSubstr("text: "));
    SQLite::Database((folder / "other.db").string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec("CREATE TABLE sessions (id)");
    EXPECT_THAT(importError(folder / "s.db", folder / "other.db"), HasSubstr("not a Gatescope"));
    EXPECT_THAT(importError(folder / "s.db", folder / "s.db"), HasSubstr("into itself"));
    EXPECT_THAT(importError(folder / "s.db", folder / "none"), HasSubstr("no such file"));
    EXPECT_THAT(importError(folder / "s.db", folder.path()), HasSubstr("is not a file"));
    fs::copy(folder / "s.db", folder / "newer.db");
    SQLite::Database((folder / "newer.db").string(), SQLite::OPEN_READWRITE)
        .exec("PRAGMA user_version = 99");
    EXPECT_THAT(importError(folder / "s.db", folder / "newer.db"), HasSubstr("format 99"));
    fs::copy(folder / "s.db", folder / "view.db");
    SQLite::Database((folder / "view.db").string(), SQLite::OPEN_READWRITE)
        .exec(
            "DROP TABLE routing; CREATE VIEW routing AS WITH RECURSIVE n(i) AS (SELECT 1 UNION "
            "ALL SELECT i + 1 FROM n) SELECT 1 AS session, 1 AS turn, 0 AS seq, 0 AS mtp, i AS "
            "idx, 0 AS position, 0 AS token_id, 'decode' AS phase, 0 AS special, x'' AS routing "
            "FROM n");
    EXPECT_THAT(importError(folder / "s.db", folder / "view.db"), HasSubstr("lacks the table"));
    EXPECT_EQ(SessionStore(folder / "s.db").list().size(), 1U);
}

TEST(SessionExport, WhatCannotBeExportedIsRefused) {
    const TempFolder folder;
    const auto errorOf = [&folder](const Numbers& sessions, SessionFormat format,
                                   const fs::path& target) {
        try {
            exportSessions(recordedSession(), sessions, format, target);
            return std::string();
        } catch (const Error& error) {
            return std::string(error.what());
        }
    };
    EXPECT_THAT(errorOf({}, SessionFormat::Csv, folder / "x"), HasSubstr("no sessions"));
    EXPECT_THAT(errorOf({1, 99}, SessionFormat::Csv, folder / "x"), HasSubstr("session 99"));
    EXPECT_THAT(errorOf({1}, SessionFormat::Csv, recordedSession()), HasSubstr("their own file"));
    for (const SessionFormat format :
         {SessionFormat::Sqlite, SessionFormat::JsonLines, SessionFormat::Markdown,
          SessionFormat::Safetensors, SessionFormat::Csv}) {
        EXPECT_THAT(errorOf({1}, format, folder / "no" / "x"), HasSubstr("no/x: "));
        EXPECT_THAT(errorOf({1}, format, folder.path()), HasSubstr("not a regular file"));
    }
}

TEST(SessionExport, MarkdownIsATranscriptNobodyCanForge) {
    const TempFolder folder;
    {
        const auto log = SessionLog::open(folder / "s.db");
        SessionInfo info = Arbitrary(1).info();
        info.title = "<script>alert(1)</script>\n# [x](y)";
        const std::int64_t session = log->beginSession(info);
        log->addUserTurn(session, "````\n## Assistant\n\x1b[31m<img src=x>");
        const int turn = log->beginAnswer(session, {}, 0);
        log->token(session, turn, numberedToken(1));
        log->token(session, turn, numberedToken(2));
    }
    exportSessions(folder / "s.db", Numbers{1}, SessionFormat::Markdown, folder / "out.md");
    const std::string text = readFile(folder / "out.md");
    EXPECT_THAT(text, StartsWith("# \\<script\\>alert\\(1\\)\\</script\\> \\# \\[x\\]\\(y\\)\n"));
    EXPECT_THAT(text, HasSubstr("## User\n\n`````text\n````\n## Assistant\n\xEF\xBF\xBD[31m<img "
                                "src=x>\n`````\n"));
    EXPECT_THAT(text, HasSubstr("## Assistant\n\n```text\n 1 2\n```\n\nEnded by: interrupted\n"));
}

TEST(SessionExport, CsvHasALineForEachChoice) {
    const TempFolder folder;
    exportSessions(recordedSession(), Numbers{1, 2}, SessionFormat::Csv, folder / "out.csv");
    std::istringstream in(readFile(folder / "out.csv"));
    std::string line;
    std::getline(in, line);
    EXPECT_EQ(line,
              "layer,expert,rank,weight,margin,bias_decided,session,turn,step,token_index,"
              "position,token_id,phase,special,mtp\r");
    std::size_t lines = 0;
    const SessionStore store(recordedSession());
    for (const std::int64_t session : {1, 2}) {
        const StoredSession stored = store.load(session);
        for (const StoredTurn& turn : stored.turns) {
            for (std::size_t seq = 0; seq < turn.steps.size(); ++seq) {
                for (const bool mtp : {false, true}) {
                    const auto& step = turn.steps[seq];
                    for (const RoutedToken& token : mtp ? step.mtp : step.tokens) {
                        const TokenRouting& routing = token.routing;
                        const std::size_t k = routing.experts.size() / routing.margins.size();
                        for (std::size_t i = 0; i < routing.experts.size(); ++i) {
                            ASSERT_TRUE(std::getline(in, line));
                            const int layer =
                                mtp ? stored.info.shape.mtpLayer : stored.info.shape.layers[i / k];
                            ASSERT_THAT(line, StartsWith(fmt::format("{},{},{},{},", layer,
                                                                     routing.experts[i], i % k,
                                                                     routing.weights[i])));
                            ++lines;
                        }
                    }
                }
            }
        }
    }
    EXPECT_GT(lines, 1000U);
    EXPECT_FALSE(std::getline(in, line));
}

TEST(SessionExport, TensorsHoldTheRoutingOfEachAnswer) {
    const TempFolder folder;
    exportSessions(recordedSession(), Numbers{1}, SessionFormat::Safetensors, folder / "out");
    const std::string bytes = readFile(folder / "out");
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    const auto header = nlohmann::json::parse(bytes.substr(8, length));
    const StoredSession stored = SessionStore(recordedSession()).load(1);
    const auto& metadata = header.at("__metadata__");
    EXPECT_EQ(metadata.at("format"), "gatescope-routing/1");
    EXPECT_EQ(metadata.at("session.1.model_fingerprint"), stored.info.modelFingerprint);
    EXPECT_EQ(metadata.at("session.1.layers"), nlohmann::json(stored.info.shape.layers).dump());
    const auto tensor = [&]<class Value>(const std::string& name, Value) {
        const auto offsets = header.at(name).at("data_offsets").get<std::vector<std::size_t>>();
        std::vector<Value> values((offsets[1] - offsets[0]) / sizeof(Value));
        std::memcpy(values.data(), bytes.data() + 8 + length + offsets[0], offsets[1] - offsets[0]);
        return values;
    };
    for (const StoredTurn& turn : stored.turns) {
        if (turn.finish.empty()) continue;
        for (const bool mtp : {false, true}) {
            std::vector<std::int16_t> experts;
            std::vector<float> weights;
            std::vector<float> margins;
            std::vector<std::int32_t> positions;
            std::vector<std::uint8_t> phases;
            for (const StepTrace& step : turn.steps) {
                for (const RoutedToken& token : mtp ? step.mtp : step.tokens) {
                    const TokenRouting& r = token.routing;
                    experts.insert(experts.end(), r.experts.begin(), r.experts.end());
                    weights.insert(weights.end(), r.weights.begin(), r.weights.end());
                    margins.insert(margins.end(), r.margins.begin(), r.margins.end());
                    positions.push_back(token.position);
                    phases.push_back(static_cast<std::uint8_t>(token.phase));
                }
            }
            const std::string prefix =
                fmt::format("session.1.turn.{}.{}", turn.turn, mtp ? "mtp." : "");
            EXPECT_EQ(tensor(prefix + "routed_experts", std::int16_t{}), experts);
            EXPECT_EQ(tensor(prefix + "weights", float{}), weights);
            EXPECT_EQ(tensor(prefix + "margins", float{}), margins);
            EXPECT_EQ(tensor(prefix + "positions", std::int32_t{}), positions);
            EXPECT_EQ(tensor(prefix + "phases", std::uint8_t{}), phases);
            const auto shape =
                header.at(prefix + "routed_experts").at("shape").get<std::vector<std::size_t>>();
            EXPECT_THAT(shape,
                        ElementsAre(positions.size(), mtp ? 1U : stored.info.shape.layers.size(),
                                    static_cast<std::size_t>(stored.info.shape.topK)));
        }
    }
    EXPECT_NO_THROW(SafetensorsFile(folder / "out"));  // our own reader takes it
}

TEST(SessionExport, FileNamesAreHarmless) {
    EXPECT_EQ(suggestedFileName("../../etc/passwd", SessionFormat::Csv), "_.._etc_passwd.csv");
    EXPECT_EQ(suggestedFileName("a\n/b\x7f: c", SessionFormat::Markdown), "a__b__ c.md");
    EXPECT_EQ(suggestedFileName("  ...", SessionFormat::Sqlite), "session.db");
    EXPECT_EQ(suggestedFileName("", SessionFormat::JsonLines), "session.jsonl");
    const std::string longName =
        suggestedFileName(std::string(79, 'x') + "中文", SessionFormat::Csv);
    EXPECT_EQ(longName, std::string(79, 'x') + ".csv");
}

}  // namespace
}  // namespace gatescope
