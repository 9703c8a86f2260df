// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string>

#include "engine/session/session_log.h"

namespace gatescope {

struct CopiedBranch {
    int turns = 0;         ///< the new session's next turn
    std::string question;  ///< the message that stands there in the other one
};

/// Copies what stands before the question of `from` (or before `from` itself, if that is a message)
/// into a new, empty session of the same file and notes where it came from. The caller holds a
/// transaction. An empty title becomes the other session's. Throws SQLite::Exception; Error if
/// there is no such turn.
CopiedBranch copyBranch(SQLite::Database& database, const SessionBranch& from, std::int64_t to);

}  // namespace gatescope
