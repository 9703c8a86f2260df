// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/session/session_copy.h"
#include "engine/session/work_progress.h"

// The formats of session_import.h: each brings a file's rows into a scratch file, whose tables
// refuse what they cannot hold. They throw Error without the file's name.

namespace gatescope {

/// A session file; the scratch file must be of its version.
std::vector<std::int64_t> importSqlite(SQLite::Database& source, SQLite::Database& scratch,
                                       WorkProgress& progress);
/// JSON Lines; the scratch file must be of the newest version.
std::vector<std::int64_t> importJsonLines(const std::filesystem::path& file,
                                          SQLite::Database& scratch, const Progress& progress);

}  // namespace gatescope
