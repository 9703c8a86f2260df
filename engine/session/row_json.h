// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/session/session_copy.h"

// Rows of a session file as JSON and back, column by column. A row read back is the row that was
// written: numbers are written in full, text that is no UTF-8 as a list of byte values, an infinite
// number as a string.

namespace gatescope {

/// Members for the columns of a row that was selected with all of the table's columns in order.
/// Those in `without` are left out. Throws Error for a blob that was never written by us.
void addMembers(nlohmann::ordered_json& json, const SessionTable& table, SQLite::Statement& row,
                const std::set<std::string>& without);

/// The member's name for a column: a column of JSON text is not text in JSON ("settings_json" is
/// "settings").
std::string memberName(const std::string& column);

/// Writes rows from JSON into a table.
class RowInserter {
  public:
    RowInserter(SQLite::Database& database, const SessionTable& table);

    /// `given`: the columns that do not come from the object, such as the keys. Throws Error naming
    /// what is missing or of another kind, SQLite::Exception for what the table refuses.
    void insert(const JsonValue& json,
                const std::vector<std::pair<std::string, std::int64_t>>& given);

  private:
    void bind(int index, const SessionTable::Column& column, const JsonValue& json);

    SessionTable m_table;
    SQLite::Statement m_insert;
};

}  // namespace gatescope
