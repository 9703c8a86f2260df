// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_copy.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/session/atomic_file.h"
#include "engine/session/schema.h"
#include "engine/session/session_file.h"
#include "engine/session/sql.h"

namespace gatescope {

namespace {

constexpr std::int64_t kRowsPerReport = 1000;

std::vector<std::string> tableNames(const SQLite::Database& database) {
    SQLite::Statement query(database,
                            "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT "
                            "LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'turns\\_fts%' ESCAPE "
                            "'\\' ORDER BY name <> 'sessions', rowid");
    std::vector<std::string> names;
    while (query.executeStep()) {
        names.push_back(query.getColumn(0).getString());
    }
    return names;
}

/// Row numbers, and counts that triggers keep.
bool isTheFilesOwn(const std::string& table, const std::string& column) {
    return (table == "turns" && column == "id") ||
           (table == "sessions" && (column == "turn_count" || column == "token_count"));
}

SessionTable tableOf(const SQLite::Database& database, const std::string& name) {
    SessionTable table;
    table.name = name;
    SQLite::Statement query(database, "SELECT name, type FROM pragma_table_info(?)");
    query.bind(1, name);
    while (query.executeStep()) {
        const std::string column = query.getColumn(0).getString();
        table.hasTurn = table.hasTurn || column == "turn";
        if (isTheFilesOwn(name, column)) {
            continue;
        }
        table.columns.push_back({column, query.getColumn(1).getString()});
    }
    return table;
}

std::string columnList(const SessionTable& table) {
    std::string list;
    for (const SessionTable::Column& column : table.columns) {
        list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", column.name);
    }
    return list;
}

/// The parameter of the session's number is the first, whatever the column's place.
std::string insertInto(const SessionTable& table) {
    std::string values;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const bool key = table.columns[i].name == table.key();
        values += fmt::format("{}?{}", i == 0 ? "" : ", ", key ? 1 : i + 2);
    }
    return fmt::format("INSERT INTO main.{} ({}) VALUES ({})", table.name, columnList(table),
                       values);
}

/// The same value in the same type; it must live until the statement has run.
void bindSame(SQLite::Statement& statement, int index, const SQLite::Column& value) {
    if (value.isInteger()) {
        statement.bind(index, value.getInt64());
    } else if (value.isFloat()) {
        statement.bind(index, value.getDouble());
    } else if (value.isText()) {
        statement.bind(index, value.getString());  // NUL characters too
    } else if (value.isBlob()) {
        bindValue(statement, index, Blob(blobView(value)));
    } else {
        statement.bind(index);
    }
}

std::int64_t copyRows(const SQLite::Database& from, std::int64_t session, SQLite::Database& to,
                      const SessionTable& table, std::int64_t number, const RowsDone& done) {
    SQLite::Statement rows(from, fmt::format("SELECT {} FROM main.{} WHERE {} = ?",
                                             columnList(table), table.name, table.key()));
    SQLite::Statement insert(to, insertInto(table));
    rows.bind(1, session);
    std::int64_t copied = 0;
    while (rows.executeStep()) {
        insert.tryReset();
        number > 0 ? insert.bind(1, number) : insert.bind(1);
        for (int i = 0; i < rows.getColumnCount(); ++i) {
            if (table.columns[static_cast<std::size_t>(i)].name != table.key()) {
                bindSame(insert, i + 2, rows.getColumn(i));
            }
        }
        insert.exec();
        if (++copied % kRowsPerReport == 0) {
            done(kRowsPerReport);
        }
    }
    done(copied % kRowsPerReport);
    return copied;
}

}  // namespace

std::vector<SessionTable> sessionTables(const SQLite::Database& database) {
    std::vector<SessionTable> tables;
    for (const std::string& name : tableNames(database)) {
        SessionTable table = tableOf(database, name);
        const bool ofSession =
            std::any_of(table.columns.begin(), table.columns.end(),
                        [&table](const SessionTable::Column& c) { return c.name == table.key(); });
        if (ofSession) {
            tables.push_back(std::move(table));
        }
    }
    return tables;
}

std::int64_t copySession(const SQLite::Database& from, std::int64_t session, SQLite::Database& to,
                         const std::vector<SessionTable>& tables, std::int64_t number,
                         const RowsDone& done) {
    // Tables refer to each other; what they refer to is looked for at the end.
    to.exec("PRAGMA defer_foreign_keys = ON");
    for (const SessionTable& table : tables) {
        const std::int64_t copied = copyRows(from, session, to, table, number, done);
        if (table.name == "sessions") {
            if (copied != 1) {
                throw Error(fmt::format("session {}: there is no such session", session));
            }
            number = to.getLastInsertRowid();
        }
    }
    return number;
}

std::int64_t rowsOfSession(const SQLite::Database& database,
                           const std::vector<SessionTable>& tables, std::int64_t session) {
    std::int64_t rows = 0;
    for (const SessionTable& table : tables) {
        SQLite::Statement count(database, fmt::format("SELECT count(*) FROM main.{} WHERE {} = ?",
                                                      table.name, table.key()));
        count.bind(1, session);
        count.executeStep();
        rows += count.getColumn(0).getInt64();
    }
    return rows;
}

ScratchFile::ScratchFile(const std::filesystem::path& beside, int version)
    : m_path(temporaryBeside(beside)) {
    try {
        m_database = std::make_unique<SQLite::Database>(
            m_path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kSessionBusyTimeoutMs);
        m_database->execAndGet("PRAGMA journal_mode = OFF");
        m_database->exec("PRAGMA synchronous = OFF");
        m_database->exec("PRAGMA foreign_keys = ON");
        migrate(*m_database, sessionMigrations().first(static_cast<std::size_t>(version)));
    } catch (const SQLite::Exception& cause) {
        std::error_code ignored;
        m_database.reset();
        std::filesystem::remove(m_path, ignored);
        throw sessionError(beside, cause);
    }
}

ScratchFile::~ScratchFile() {
    m_database.reset();
    if (!m_path.empty()) {
        std::error_code ignored;
        std::filesystem::remove(m_path, ignored);
    }
}

void ScratchFile::migrateToNewest() {
    migrate(*m_database, sessionMigrations());
}

void ScratchFile::keepAs(const std::filesystem::path& file) {
    m_database.reset();
    renameDurably(m_path, file);
    m_path.clear();
}

}  // namespace gatescope
