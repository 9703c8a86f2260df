// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <string>

#include "engine/error.h"

namespace gatescope {

/// How long one attempt waits for another program that is writing.
inline constexpr int kSessionBusyTimeoutMs = 5000;

/// One sentence for people, from SQLite's code: "FILE: the disk is full".
Error sessionError(const std::filesystem::path& file, const SQLite::Exception& cause);

/// The damage codes: only these (and a failed quick_check) may lead to setting a file aside.
bool meansDamage(const SQLite::Exception& cause);

/// A path SQLite takes literally (":memory:" and "file:..." are its own names) and that follows
/// links, so that a damaged file is renamed and not the link to it.
std::filesystem::path plainPath(const std::filesystem::path& file);

/// Makes the file ready for writing: creates or migrates it, or sets a damaged one aside. Returns
/// what people should be told ("" if nothing). Throws Error for a file that is somebody else's or
/// from a newer version (neither is touched), or that cannot be read or written.
std::string prepareSessionFile(const std::filesystem::path& file);

/// A connection for writing to a prepared file. It never checkpoints inside a commit (see
/// Checkpointer). Throws Error.
SQLite::Database openForWriting(const std::filesystem::path& file);

/// A connection that cannot write. Throws Error for a missing, damaged or foreign file. Works on a
/// file in a read-only folder too.
SQLite::Database openForReading(const std::filesystem::path& file);

}  // namespace gatescope
