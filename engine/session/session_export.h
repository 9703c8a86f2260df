// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/progress.h"

namespace gatescope {

/// What sessions can be written as. docs/session-schema.md describes each.
enum class SessionFormat {
    Sqlite,       ///< a session file of its own; can be imported
    JsonLines,    ///< everything as text; can be imported
    Markdown,     ///< the transcript, for reading
    Safetensors,  ///< routing as tensors
    Csv,          ///< routing, one line for each choice
};
/// "sqlite", "jsonl", "markdown", "safetensors", "csv".
std::string_view name(SessionFormat format);
std::optional<SessionFormat> sessionFormatFromName(std::string_view name);
/// With its dot: ".db", ".jsonl", ".md", ".safetensors", ".csv".
std::string_view extension(SessionFormat format);

/// Writes sessions of a session file, in this order, as they stand at one moment, to a file that is
/// there whole or not at all; one that is there is replaced. Takes memory for a few rows, or for
/// the token ids of one answer, however long the sessions are. May run while a log writes the file.
///
/// Throws Error naming file, session and cause: no sessions, one that is not there or damaged, the
/// session file itself as target, no routing to write (Safetensors, Csv), a newer format (Sqlite,
/// JsonLines), a full disk. Throws Cancelled when `progress` asks for it. The target is then
/// untouched.
void exportSessions(const std::filesystem::path& file, std::span<const std::int64_t> sessions,
                    SessionFormat format, const std::filesystem::path& target,
                    const Progress& progress = {});

/// A file name for a session of this title: no separators, control characters or leading dots, at
/// most 80 bytes before the extension.
std::string suggestedFileName(std::string_view title, SessionFormat format);

}  // namespace gatescope
