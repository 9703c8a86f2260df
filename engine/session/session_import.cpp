// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_import.h"

#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string_view>
#include <system_error>

#include "engine/session/import_formats.h"
#include "engine/session/schema.h"
#include "engine/session/session_check.h"
#include "engine/session/session_file.h"
#include "engine/session/sql.h"

namespace gatescope {

namespace {

namespace fs = std::filesystem;

bool isSqlite(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::string magic(15, '\0');
    in.read(magic.data(), static_cast<std::streamsize>(magic.size()));
    return in && magic == "SQLite format 3";
}

void checkFiles(const fs::path& into, const fs::path& file) {
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (status.type() == fs::file_type::not_found) {
        throw fileError(file.string(), "", "there is no such file");
    }
    if (status.type() != fs::file_type::regular) {
        throw fileError(file.string(), "", "is not a file");
    }
    if (fs::equivalent(into, file, error)) {
        throw fileError(file.string(), "", "a session file cannot be imported into itself");
    }
}

/// What a stranger's schema may not do while it is read.
void restrict(SQLite::Database& source) {
    sqlite3_db_config(source.getHandle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(source.getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(source.getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
}

struct Sessions {
    std::unique_ptr<ScratchFile> scratch;  ///< of the newest version
    std::vector<std::int64_t> numbers;
};

Sessions fromSqlite(const fs::path& into, const fs::path& file, const Progress& progress) {
    SQLite::Database source = openForReading(file);
    restrict(source);
    const SQLite::Transaction transaction(source);
    const int version = source.execAndGet("PRAGMA user_version").getInt();
    if (version < 1 || version > sessionSchemaVersion()) {
        throw Error(
            fmt::format("session format {} cannot be imported by this Gatescope, which "
                        "knows {}",
                        version, sessionSchemaVersion()));
    }
    Sessions read;
    read.scratch = std::make_unique<ScratchFile>(into, version);
    WorkProgress work(progress, "Reading", 0);
    read.numbers = importSqlite(source, read.scratch->database(), work);
    read.scratch->migrateToNewest();
    return read;
}

Sessions fromJsonLines(const fs::path& into, const fs::path& file, const Progress& progress) {
    Sessions read;
    read.scratch = std::make_unique<ScratchFile>(into, sessionSchemaVersion());
    read.numbers = importJsonLines(file, read.scratch->database(), progress);
    return read;
}

/// Everything of the file in a scratch file, looked at row by row. Errors name the file.
Sessions readAll(const fs::path& into, const fs::path& file, const Progress& progress) {
    try {
        Sessions read =
            isSqlite(file) ? fromSqlite(into, file, progress) : fromJsonLines(into, file, progress);
        WorkProgress work(progress, "Checking", 0);
        read.scratch->database().exec("UPDATE sessions SET deleted_ms = NULL");
        for (const std::int64_t session : read.numbers) {
            checkSession(read.scratch->database(), session,
                         [&work](std::int64_t rows) { work.add(rows); });
        }
        return read;
    } catch (const SQLite::Exception& cause) {
        if (cause.getExtendedErrorCode() == SQLITE_CONSTRAINT_FOREIGNKEY) {
            throw fileError(file.string(), "", "some of its rows refer to others that it lacks");
        }
        throw sessionError(file, cause);
    } catch (const Error& cause) {
        const std::string_view what = cause.what();
        throw what.find(file.string()) == 0 || what.find(into.string()) == 0
            ? cause
            : fileError(file.string(), "", std::string(what));
    }
}

void removeSessions(SQLite::Database& database, const std::vector<std::int64_t>& numbers) {
    try {
        SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
        SQLite::Statement remove(database, "DELETE FROM sessions WHERE id = ?");
        for (const std::int64_t number : numbers) {
            remove.reset();
            remove.bind(1, number);
            remove.exec();
        }
        transaction.commit();
    } catch (const SQLite::Exception&) {  // what led here is told
    }
}

/// A branch names the session it came from by its number: that is the new one if it came along,
/// and nothing otherwise. What a person imports is not deleted.
void renumberBranches(SQLite::Database& scratch, const std::vector<std::int64_t>& numbers,
                      const std::vector<std::int64_t>& added, SQLite::Database& database) {
    SQLite::Statement branch(scratch,
                             "SELECT branched_from_session FROM main.sessions WHERE id = ?");
    SQLite::Statement point(database, "UPDATE sessions SET branched_from_session = ? WHERE id = ?");
    SQLite::Statement forget(database,
                             "UPDATE sessions SET branched_from_session = NULL, branched_from_turn "
                             "= NULL, branched_from_seq = NULL WHERE id = ?");
    for (std::size_t i = 0; i < added.size(); ++i) {
        bindAll(branch, numbers[i]);
        if (!branch.executeStep() || branch.getColumn(0).isNull()) {
            continue;
        }
        const auto from = std::find(numbers.begin(), numbers.end(), branch.getColumn(0).getInt64());
        if (from == numbers.end()) {
            execute(forget, added[i]);
        } else {
            execute(point, added[static_cast<std::size_t>(from - numbers.begin())], added[i]);
        }
    }
}

/// One transaction for each session, so that a log that writes the file need not wait for all.
std::vector<std::int64_t> addAll(const fs::path& into, Sessions& read, const Progress& progress) {
    SQLite::Database database = openForWriting(into);
    const std::vector<SessionTable> tables = sessionTables(read.scratch->database());
    std::int64_t rows = 0;
    for (const std::int64_t session : read.numbers) {
        rows += rowsOfSession(read.scratch->database(), tables, session);
    }
    WorkProgress work(progress, "Importing", static_cast<std::uint64_t>(rows));
    std::vector<std::int64_t> added;
    try {
        for (const std::int64_t session : read.numbers) {
            SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
            const std::int64_t number =
                copySession(read.scratch->database(), session, database, tables, 0,
                            [&work](std::int64_t done) { work.add(done); });
            transaction.commit();
            added.push_back(number);
        }
        {
            SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
            renumberBranches(read.scratch->database(), read.numbers, added, database);
            transaction.commit();
        }
        // Nobody else may have the file open who would move the log into it.
        sqlite3_wal_checkpoint_v2(database.getHandle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                  nullptr);
    } catch (...) {
        removeSessions(database, added);
        throw;
    }
    return added;
}

}  // namespace

std::vector<std::int64_t> importSessions(const fs::path& into, const fs::path& file,
                                         const Progress& progress) {
    const fs::path target = plainPath(into);
    const fs::path source = plainPath(file);
    checkFiles(target, source);
    Sessions read = readAll(target, source, progress);
    prepareSessionFile(target);
    try {
        return addAll(target, read, progress);
    } catch (const SQLite::Exception& cause) {
        throw sessionError(target, cause);
    }
}

}  // namespace gatescope
