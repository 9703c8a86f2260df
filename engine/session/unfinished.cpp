// SPDX-License-Identifier: Apache-2.0
#include "engine/session/unfinished.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/session/sql.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

std::vector<std::pair<std::int64_t, int>> unfinished(SQLite::Database& database) {
    std::vector<std::pair<std::int64_t, int>> found;
    SQLite::Statement select(database, "SELECT session, turn FROM answers WHERE finish IS NULL");
    while (select.executeStep()) {
        found.emplace_back(select.getColumn(0).getInt64(), select.getColumn(1).getInt());
    }
    return found;
}

}  // namespace

void completeUnfinishedTexts(SQLite::Database& database) {
    if (unfinished(database).empty()) {
        return;  // the usual case takes no write lock
    }
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement tokens(
        database, "SELECT bytes FROM tokens WHERE session = ? AND turn = ? ORDER BY seq");
    SQLite::Statement setText(database,
                              "UPDATE turns SET text = ?1 "
                              "WHERE session = ?2 AND turn = ?3 AND text <> ?1");
    for (const auto& [session, turn] : unfinished(database)) {
        std::string bytes;
        bindAll(tokens, session, turn);
        while (tokens.executeStep()) {
            bytes += blobView(tokens.getColumn(0));
        }
        execute(setText, toValidUtf8(bytes), session, turn);
    }
    transaction.commit();
}

}  // namespace gatescope
