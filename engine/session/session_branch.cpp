// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_branch.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "engine/session/session_copy.h"
#include "engine/session/sql.h"

namespace gatescope {

namespace {

/// The message that is asked or answered at this point.
CopiedBranch questionOf(SQLite::Database& database, const SessionBranch& from) {
    SQLite::Statement question(database,
                               "SELECT u.turn, u.text FROM turns t, turns u WHERE t.session = ?1 "
                               "AND t.turn = ?2 AND u.session = ?1 AND u.turn <= ?2 AND u.role = "
                               "'user' ORDER BY u.turn DESC LIMIT 1");
    bindAll(question, from.session, from.turn);
    if (!question.executeStep()) {
        throw Error(fmt::format("there is no turn {} that answers a message", from.turn));
    }
    return {question.getColumn(0).getInt(), question.getColumn(1).getString()};
}

/// All rows of turns before `end`. Answers that were taken back are copied too: the routing of a
/// prompt stands with the first answer to it.
void copyTurns(SQLite::Database& database, const SessionTable& table, std::int64_t from, int end,
               std::int64_t to) {
    std::string columns;
    std::string values;
    for (const SessionTable::Column& column : table.columns) {
        const char* comma = columns.empty() ? "" : ", ";
        columns += fmt::format("{}\"{}\"", comma, column.name);
        values += column.name == table.key() ? fmt::format("{}?1", comma)
                                             : fmt::format("{}\"{}\"", comma, column.name);
    }
    SQLite::Statement copy(
        database, fmt::format("INSERT INTO {0} ({1}) SELECT {2} FROM {0} WHERE \"{3}\" = ?2 AND "
                              "turn < ?3",
                              table.name, columns, values, table.key()));
    execute(copy, to, from, end);
}

}  // namespace

CopiedBranch copyBranch(SQLite::Database& database, const SessionBranch& from, std::int64_t to) {
    CopiedBranch question = questionOf(database, from);
    database.exec("PRAGMA defer_foreign_keys = ON");  // tables refer to each other
    for (const SessionTable& table : sessionTables(database)) {
        if (table.hasTurn) {
            copyTurns(database, table, from.session, question.turns, to);
        }
    }
    SQLite::Statement origin(database,
                             "UPDATE sessions SET branched_from_session = ?1, branched_from_turn = "
                             "?2, branched_from_seq = ?3, title = CASE title WHEN '' THEN (SELECT "
                             "title FROM sessions WHERE id = ?1) ELSE title END WHERE id = ?4");
    const bool asked = from.seq < 0;  // the message itself was replaced
    execute(origin, from.session, asked ? question.turns : from.turn,
            asked ? std::nullopt : std::optional(from.seq), to);
    return question;
}

}  // namespace gatescope
