// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <span>

#include "engine/session/work_progress.h"

// The formats of session_export.h, each in the file of its name. They throw SQLite::Exception, and
// Error without the session file's name.

namespace gatescope {

/// What is exported: the source inside a read transaction.
struct ExportSource {
    SQLite::Database& database;
    int version;  ///< of the source's format
    std::span<const std::int64_t> sessions;
    WorkProgress& progress;
};

void exportSqlite(const ExportSource& source, const std::filesystem::path& target);
void exportJsonLines(const ExportSource& source, const std::filesystem::path& target);
void exportMarkdown(const ExportSource& source, const std::filesystem::path& target);
void exportSafetensors(const ExportSource& source, const std::filesystem::path& target);
void exportCsv(const ExportSource& source, const std::filesystem::path& target);

}  // namespace gatescope
