// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/session/atomic_file.h"
#include "engine/session/export_formats.h"
#include "engine/session/json_lines.h"
#include "engine/session/row_json.h"
#include "engine/session/schema.h"
#include "engine/session/session_copy.h"
#include "engine/session/sql.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

using Json = nlohmann::ordered_json;
using Row = std::function<void(SQLite::Statement&)>;

/// Writes the sessions of a database of the newest version.
class JsonLinesWriter {
  public:
    JsonLinesWriter(SQLite::Database& database, AtomicFile& file, WorkProgress& progress)
        : m_database(database), m_file(file), m_progress(progress) {
        for (SessionTable& table : sessionTables(database)) {
            m_tables[table.name] = table;
        }
    }

    void header(std::span<const std::int64_t> sessions);
    void session(std::int64_t session);

  private:
    using Key = std::vector<std::pair<const char*, std::int64_t>>;

    void line(const Json& json) { m_file.write(json.dump() + "\n"); }
    std::int64_t forEachRow(const std::string& table, const Key& key, const char* order,
                            const Row& visit);
    Json tags(std::int64_t session);
    void turn(std::int64_t session, SQLite::Statement& row);
    void answer(std::int64_t session, std::int64_t turn);
    void tokens(std::int64_t session, std::int64_t turn);
    void steps(std::int64_t session, std::int64_t turn);
    void step(std::int64_t session, std::int64_t turn, SQLite::Statement& row);
    void routing(std::int64_t session, std::int64_t turn);
    std::int64_t columnOf(const std::string& table, const std::string& column) const;

    SQLite::Database& m_database;
    AtomicFile& m_file;
    WorkProgress& m_progress;
    std::map<std::string, SessionTable> m_tables;
    std::map<std::string, std::int64_t> m_counts;  ///< rows of the session by kind
};

std::int64_t JsonLinesWriter::forEachRow(const std::string& name, const Key& key, const char* order,
                                         const Row& visit) {
    const SessionTable& table = m_tables.at(name);
    std::string columns;
    for (const SessionTable::Column& column : table.columns) {
        columns += fmt::format("{}\"{}\"", columns.empty() ? "" : ", ", column.name);
    }
    std::string where;
    for (const auto& [column, value] : key) {
        where += fmt::format("{}{} = {}", where.empty() ? "" : " AND ", column, value);
    }
    SQLite::Statement rows(m_database, fmt::format("SELECT {} FROM main.{} WHERE {} ORDER BY {}",
                                                   columns, name, where, order));
    std::int64_t count = 0;
    while (rows.executeStep()) {
        visit(rows);
        m_progress.add(1);
        ++count;
    }
    return count;
}

std::int64_t JsonLinesWriter::columnOf(const std::string& table, const std::string& column) const {
    const auto& columns = m_tables.at(table).columns;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i].name == column) {
            return static_cast<std::int64_t>(i);
        }
    }
    throw Error(fmt::format("the table {} has no column {}", table, column));
}

void JsonLinesWriter::header(std::span<const std::int64_t> sessions) {
    line({{"type", "header"},
          {"format", kJsonLinesFormat},
          {"version", kJsonLinesVersion},
          {"schema", sessionSchemaVersion()},
          {"sessions", sessions.size()}});
}

void JsonLinesWriter::session(std::int64_t session) {
    m_counts = {{"turns", 0}, {"answers", 0}, {"tokens", 0}, {"steps", 0}, {"positions", 0}};
    forEachRow("sessions", {{"id", session}}, "id", [&](SQLite::Statement& row) {
        Json json = {{"type", "session"}, {"session", session}};
        addMembers(json, m_tables.at("sessions"), row, {"id"});
        json["tags"] = tags(session);
        line(json);
    });
    m_counts["turns"] = forEachRow("turns", {{"session", session}}, "turn",
                                   [&](SQLite::Statement& row) { turn(session, row); });
    Json json = {{"type", "end"}, {"session", session}};
    for (const auto& [kind, count] : m_counts) {
        json[kind] = count;
    }
    line(json);
}

Json JsonLinesWriter::tags(std::int64_t session) {
    SQLite::Statement rows(m_database,
                           "SELECT tag FROM main.session_tags WHERE session = ? ORDER BY tag");
    bindAll(rows, session);
    Json list = Json::array();
    while (rows.executeStep()) {
        list.push_back(toValidUtf8(rows.getColumn(0).getString()));
    }
    return list;
}

void JsonLinesWriter::turn(std::int64_t session, SQLite::Statement& row) {
    Json json = {{"type", "turn"}};
    addMembers(json, m_tables.at("turns"), row, {});
    line(json);
    answer(session, json.at("turn").get<std::int64_t>());
}

void JsonLinesWriter::answer(std::int64_t session, std::int64_t turn) {
    m_counts["answers"] += forEachRow("answers", {{"session", session}, {"turn", turn}}, "turn",
                                      [&](SQLite::Statement& row) {
                                          Json json = {{"type", "answer"}};
                                          addMembers(json, m_tables.at("answers"), row, {});
                                          line(json);
                                      });
    tokens(session, turn);
    steps(session, turn);
    routing(session, turn);
}

void JsonLinesWriter::tokens(std::int64_t session, std::int64_t turn) {
    const int bytes = static_cast<int>(columnOf("tokens", "bytes"));
    const int probability = static_cast<int>(columnOf("tokens", "raw_probability"));
    Json content = Json::array();
    std::int64_t from = 0;
    const auto flush = [&] {
        if (!content.empty()) {
            const auto count = static_cast<std::int64_t>(content.size());
            line({{"type", "tokens"},
                  {"session", session},
                  {"turn", turn},
                  {"from", from},
                  {"logprobs", {{"content", std::move(content)}}}});
            from += count;
            content = Json::array();
        }
    };
    m_counts["tokens"] += forEachRow(
        "tokens", {{"session", session}, {"turn", turn}}, "seq", [&](SQLite::Statement& row) {
            const double raw = row.getColumn(probability).getDouble();  // NULL is 0
            Json json = {{"token", toValidUtf8(blobView(row.getColumn(bytes)))},
                         {"logprob", raw > 0 && std::isfinite(raw) ? Json(std::log(raw)) : Json()}};
            addMembers(json, m_tables.at("tokens"), row, {"session", "turn", "seq"});
            content.push_back(std::move(json));
            if (content.size() == kTokensPerLine) {
                flush();
            }
        });
    flush();
}

void JsonLinesWriter::steps(std::int64_t session, std::int64_t turn) {
    m_counts["steps"] += forEachRow("steps", {{"session", session}, {"turn", turn}}, "seq",
                                    [&](SQLite::Statement& row) { step(session, turn, row); });
}

void JsonLinesWriter::step(std::int64_t session, std::int64_t turn, SQLite::Statement& row) {
    Json json = {{"type", "step"}};
    addMembers(json, m_tables.at("steps"), row, {});
    const Key key = {
        {"session", session}, {"turn", turn}, {"seq", json.at("seq").get<std::int64_t>()}};
    forEachRow("verify_steps", key, "seq", [&](SQLite::Statement& verify) {
        Json& made = json["verify"] = Json::object();
        addMembers(made, m_tables.at("verify_steps"), verify, {"session", "turn", "seq"});
        made["drafts"] = Json::array();
    });
    forEachRow("drafts", key, "idx", [&](SQLite::Statement& draft) {
        Json made = Json::object();
        addMembers(made, m_tables.at("drafts"), draft, {"session", "turn", "seq", "idx"});
        json["verify"]["drafts"].push_back(std::move(made));
    });
    line(json);
}

void JsonLinesWriter::routing(std::int64_t session, std::int64_t turn) {
    Json positions = Json::array();
    const auto flush = [&] {
        if (!positions.empty()) {
            line({{"type", "routing"},
                  {"session", session},
                  {"turn", turn},
                  {"positions", std::move(positions)}});
            positions = Json::array();
        }
    };
    m_counts["positions"] +=
        forEachRow("routing", {{"session", session}, {"turn", turn}}, "seq, mtp, idx",
                   [&](SQLite::Statement& row) {
                       Json json = Json::object();
                       addMembers(json, m_tables.at("routing"), row, {"session", "turn"});
                       positions.push_back(std::move(json));
                       if (positions.size() == kPositionsPerLine) {
                           flush();
                       }
                   });
    flush();
}

void writeAll(SQLite::Database& database, const ExportSource& source,
              const std::filesystem::path& target) {
    AtomicFile file(target);
    JsonLinesWriter writer(database, file, source.progress);
    writer.header(source.sessions);
    for (const std::int64_t session : source.sessions) {
        writer.session(session);
    }
    file.commit();
}

}  // namespace

void exportJsonLines(const ExportSource& source, const std::filesystem::path& target) {
    if (source.version == sessionSchemaVersion()) {
        writeAll(source.database, source, target);
        return;
    }
    // Lines are of the newest version: an older file is brought there in a copy.
    ScratchFile scratch(target, source.version);
    {
        SQLite::Transaction transaction(scratch.database());
        const std::vector<SessionTable> tables = sessionTables(scratch.database());
        for (const std::int64_t session : source.sessions) {
            copySession(source.database, session, scratch.database(), tables, session,
                        [&source](std::int64_t) { source.progress.add(0); });
        }
        transaction.commit();
    }
    scratch.migrateToNewest();
    writeAll(scratch.database(), source, target);
}

}  // namespace gatescope
