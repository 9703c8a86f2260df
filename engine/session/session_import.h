// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/progress.h"

namespace gatescope {

/// Adds all sessions of a file that exportSessions() wrote (a session file of any version up to
/// ours, or JSON Lines; told by their first bytes) to a session file, which is made if it is not
/// there. They get numbers of their own and keep everything else, times too. Importing a file twice
/// makes copies: a session that was continued since is another one.
///
/// All of the file is checked before anything is added: sizes, words, ids, blobs, JSON, and that
/// everything belongs to something. Throws Error with one sentence naming file, place and cause, or
/// Cancelled; the session file is then as it was. Takes memory for one line or row. May run while a
/// log writes the session file.
///
/// Returns the new numbers, in the order of the file.
std::vector<std::int64_t> importSessions(const std::filesystem::path& into,
                                         const std::filesystem::path& file,
                                         const Progress& progress = {});

}  // namespace gatescope
