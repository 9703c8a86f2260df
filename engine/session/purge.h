// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>

namespace gatescope {

/// Removes for ever, with all their rows, the sessions that were deleted before this time (Unix
/// time in milliseconds). Returns how many. Foreign keys must be on. Throws SQLite::Exception.
int purgeDeleted(SQLite::Database& database, std::int64_t beforeMs);

}  // namespace gatescope
