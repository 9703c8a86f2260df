// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_export.h"

#include <array>
#include <system_error>

#include "engine/session/export_formats.h"
#include "engine/session/schema.h"
#include "engine/session/session_copy.h"
#include "engine/session/session_file.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

namespace fs = std::filesystem;

struct Format {
    SessionFormat format;
    std::string_view name;
    std::string_view extension;
    void (*write)(const ExportSource&, const fs::path&);
};

constexpr std::array<Format, 5> kFormats = {{
    {SessionFormat::Sqlite, "sqlite", ".db", exportSqlite},
    {SessionFormat::JsonLines, "jsonl", ".jsonl", exportJsonLines},
    {SessionFormat::Markdown, "markdown", ".md", exportMarkdown},
    {SessionFormat::Safetensors, "safetensors", ".safetensors", exportSafetensors},
    {SessionFormat::Csv, "csv", ".csv", exportCsv},
}};
constexpr std::size_t kNameBytes = 80;

const Format& formatOf(SessionFormat format) {
    return kFormats[static_cast<std::size_t>(format)];
}

void checkTarget(const fs::path& file, const fs::path& target) {
    std::error_code none;
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
        if (fs::equivalent(file.string() + suffix, target, none)) {
            throw fileError(target.string(), "", "sessions cannot be written over their own file");
        }
    }
}

int versionOf(const fs::path& file, SQLite::Database& database, SessionFormat format) {
    const int version = database.execAndGet("PRAGMA user_version").getInt();
    const bool everything = format == SessionFormat::Sqlite || format == SessionFormat::JsonLines;
    if (everything && (version < 1 || version > sessionSchemaVersion())) {
        throw fileError(
            file.string(), "",
            fmt::format("session format {} cannot be copied by this Gatescope, which knows {}",
                        version, sessionSchemaVersion()));
    }
    return version;
}

std::int64_t rowsOf(const SQLite::Database& database, std::span<const std::int64_t> sessions) {
    const std::vector<SessionTable> tables = sessionTables(database);
    std::int64_t rows = 0;
    for (const std::int64_t session : sessions) {
        SQLite::Statement found(database, "SELECT 1 FROM main.sessions WHERE id = ?");
        found.bind(1, session);
        if (!found.executeStep()) {
            throw Error(fmt::format("session {}: there is no such session", session));
        }
        rows += rowsOfSession(database, tables, session);
    }
    return rows;
}

void exportAll(const fs::path& file, std::span<const std::int64_t> sessions, SessionFormat format,
               const fs::path& target, const Progress& progress) {
    SQLite::Database database = openForReading(file);
    const SQLite::Transaction transaction(database);
    const int version = versionOf(file, database, format);
    const std::int64_t rows = rowsOf(database, sessions);
    WorkProgress work(progress, "Exporting", static_cast<std::uint64_t>(rows));
    work.add(0);
    formatOf(format).write({database, version, sessions, work}, target);
}

}  // namespace

std::string_view name(SessionFormat format) {
    return formatOf(format).name;
}

std::optional<SessionFormat> sessionFormatFromName(std::string_view name) {
    for (const Format& format : kFormats) {
        if (format.name == name) {
            return format.format;
        }
    }
    return std::nullopt;
}

std::string_view extension(SessionFormat format) {
    return formatOf(format).extension;
}

void exportSessions(const fs::path& file, std::span<const std::int64_t> sessions,
                    SessionFormat format, const fs::path& target, const Progress& progress) {
    const fs::path source = plainPath(file);
    if (sessions.empty()) {
        throw fileError(source.string(), "", "there are no sessions to export");
    }
    checkTarget(source, target);
    try {
        exportAll(source, sessions, format, target, progress);
    } catch (const SQLite::Exception& cause) {
        throw sessionError(source, cause);
    } catch (const Error& cause) {
        const std::string_view what = cause.what();
        const bool names = what.find(source.string()) == 0 || what.find(target.string()) == 0;
        throw names ? cause : fileError(source.string(), "", std::string(what));
    }
}

std::string suggestedFileName(std::string_view title, SessionFormat format) {
    constexpr std::string_view kUnwanted = "/\\:*?\"<>|";
    std::string file;
    for (const char c : toValidUtf8(title)) {
        const auto byte = static_cast<unsigned char>(c);
        const bool unwanted =
            byte < 0x20 || byte == 0x7F || kUnwanted.find(c) != std::string_view::npos;
        file += unwanted ? '_' : c;
    }
    if (file.size() > kNameBytes) {
        std::size_t end = kNameBytes;  // between characters
        while (end > 0 && (static_cast<unsigned char>(file[end]) & 0xC0) == 0x80) {
            --end;
        }
        file.resize(end);
    }
    const std::size_t begin = file.find_first_not_of(" .-");
    file = begin == std::string::npos ? "session" : file.substr(begin);
    file.erase(file.find_last_not_of(" .") + 1);
    return file + std::string(extension(format));
}

}  // namespace gatescope
