// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <span>

namespace gatescope {

/// "GSCP" in the file's header: a SQLite file is ours or is not.
inline constexpr std::int32_t kSessionApplicationId = 0x47534350;

/// One step from `version - 1` to `version`; runs inside a transaction.
struct Migration {
    int version;
    void (*apply)(SQLite::Database&);
};

/// All steps in order, from an empty file on. A published step is never changed: a new table or
/// column is a new step, with a line in docs/session-schema.md.
std::span<const Migration> sessionMigrations();

/// What this program writes: the last migration's version.
int sessionSchemaVersion();

/// Brings the file from its user_version to the last step's in one write transaction, which waits
/// for other writers; an empty file also gets the application_id. Nothing happens to a file that is
/// there already. Throws SQLite::Exception; the file is then unchanged.
void migrate(SQLite::Database& database, std::span<const Migration> migrations);

}  // namespace gatescope
