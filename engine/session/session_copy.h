// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gatescope {

/// One table with what belongs to a session. `sessions` itself is one of them.
struct SessionTable {
    struct Column {
        std::string name;
        std::string type;  ///< INTEGER, REAL, TEXT or BLOB
    };
    std::string name;
    std::vector<Column> columns;  ///< without those a file fills in by itself
    bool hasTurn = false;

    /// The column that tells the session.
    const char* key() const { return name == "sessions" ? "id" : "session"; }
};

/// The tables of a file that this program made, `sessions` first. Throws SQLite::Exception.
std::vector<SessionTable> sessionTables(const SQLite::Database& database);

/// Called now and then with the rows that were dealt with since the last call; may throw to end the
/// work.
using RowsDone = std::function<void(std::int64_t rows)>;

/// Copies all rows of a session into another file, whose tables are `tables`; the source must have
/// the same columns. `number` is the session's in the other file; 0: the next free one. The caller
/// holds transactions on both. Returns the number. Throws SQLite::Exception; Error if the session
/// is not there or the source refers to more than it has.
std::int64_t copySession(const SQLite::Database& from, std::int64_t session, SQLite::Database& to,
                         const std::vector<SessionTable>& tables, std::int64_t number,
                         const RowsDone& done);

/// Rows of a session in all tables of a file.
std::int64_t rowsOfSession(const SQLite::Database& database,
                           const std::vector<SessionTable>& tables, std::int64_t session);

/// A session file for one piece of work, of this schema version; removed with the object. Nothing
/// but this program sees it, so that it can do without a journal.
class ScratchFile {
  public:
    /// `beside`: made in the folder of this file. Throws Error.
    ScratchFile(const std::filesystem::path& beside, int version);
    ~ScratchFile();
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;

    SQLite::Database& database() { return *m_database; }
    /// Brings it from its version to the newest.
    void migrateToNewest();
    /// Closes it and gives it this name; it is then complete on the disk and no longer removed.
    void keepAs(const std::filesystem::path& file);

  private:
    std::filesystem::path m_path;
    std::unique_ptr<SQLite::Database> m_database;
};

}  // namespace gatescope
