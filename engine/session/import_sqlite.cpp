// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <string>

#include "engine/error.h"
#include "engine/session/import_formats.h"

namespace gatescope {

namespace {

/// A stranger's file may hold anything under the names of our tables.
void checkTables(const SQLite::Database& source, const std::vector<SessionTable>& tables) {
    for (const SessionTable& table : tables) {
        SQLite::Statement query(source,
                                "SELECT count(*) FROM main.sqlite_schema WHERE name = ? AND type = "
                                "'table' AND sql LIKE 'CREATE TABLE%'");
        query.bind(1, table.name);
        query.executeStep();
        if (query.getColumn(0).getInt() != 1) {
            throw Error(fmt::format("it lacks the table {}", table.name));
        }
    }
}

std::vector<std::int64_t> sessionsOf(const SQLite::Database& source) {
    SQLite::Statement query(source, "SELECT id FROM main.sessions ORDER BY id");
    std::vector<std::int64_t> sessions;
    while (query.executeStep()) {
        sessions.push_back(query.getColumn(0).getInt64());
        if (sessions.back() <= 0) {
            throw Error(fmt::format("session {}: is no number of a session", sessions.back()));
        }
    }
    return sessions;
}

}  // namespace

std::vector<std::int64_t> importSqlite(SQLite::Database& source, SQLite::Database& scratch,
                                       WorkProgress& progress) {
    const std::vector<SessionTable> tables = sessionTables(scratch);
    checkTables(source, tables);
    SQLite::Statement check(source, "PRAGMA quick_check(1)");
    check.executeStep();
    if (check.getColumn(0).getString() != "ok") {
        throw Error("it is damaged: " + check.getColumn(0).getString());
    }
    const std::vector<std::int64_t> sessions = sessionsOf(source);
    SQLite::Transaction transaction(scratch);
    for (const std::int64_t session : sessions) {
        copySession(source, session, scratch, tables, session,
                    [&progress](std::int64_t rows) { progress.add(rows); });
    }
    transaction.commit();
    return sessions;
}

}  // namespace gatescope
