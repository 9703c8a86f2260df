// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>

#include "engine/session/session_copy.h"

namespace gatescope {

/// Reads everything of a session in a file of the newest version as the program would later and
/// throws Error naming turn, row and cause for what it could not use: JSON of another shape, blobs
/// that are none, ids out of range, rows that are missing in between.
void checkSession(const SQLite::Database& database, std::int64_t session, const RowsDone& done);

}  // namespace gatescope
