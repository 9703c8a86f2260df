// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_file.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include "engine/session/schema.h"

namespace gatescope {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr std::size_t kHeaderBytes = 100;
constexpr std::size_t kApplicationIdAt = 68;
constexpr int kOpenAttempts = 50;

enum class State { Fresh, Ours, Damaged };

struct Inspection {
    State state = State::Fresh;
    std::string damage;  ///< why, when damaged
};

Error foreign(const fs::path& file) {
    return fileError(file.string(), "",
                     "this is a database of another program; Gatescope leaves it alone");
}

Error newer(const fs::path& file, int version) {
    return fileError(file.string(), "",
                     fmt::format("written by a newer Gatescope (session format {}, this one writes "
                                 "{}); it can be read but not added to",
                                 version, sessionSchemaVersion()));
}

/// The header as it lies on disk: SQLite itself may roll a journal back when it opens a file, which
/// is not ours to do before we know whose file it is. Our files carry the application_id there
/// from their first transaction on, which is made before WAL is switched on.
std::optional<std::array<unsigned char, kHeaderBytes>> readHeader(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        throw fileError(file.string(), "",
                        "cannot be read: " + std::generic_category().message(errno));
    }
    std::array<unsigned char, kHeaderBytes> header{};
    in.read(reinterpret_cast<char*>(header.data()), kHeaderBytes);
    return in.gcount() == static_cast<std::streamsize>(kHeaderBytes) ? std::optional(header)
                                                                     : std::nullopt;
}

bool isSqlite(const std::array<unsigned char, kHeaderBytes>& header) {
    return std::string_view(reinterpret_cast<const char*>(header.data()), kMagic.size()) == kMagic;
}

std::uint32_t applicationId(const std::array<unsigned char, kHeaderBytes>& header) {
    std::uint32_t id = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        id = id << 8 | header[kApplicationIdAt + i];
    }
    return id;
}

/// Without an application_id: an empty database may become ours, any other is somebody's.
Inspection inspectUnmarked(const fs::path& file) {
    const SQLite::Database database(file.string(), SQLite::OPEN_READONLY, kSessionBusyTimeoutMs);
    SQLite::Statement count(database, "SELECT count(*) FROM sqlite_schema");
    count.executeStep();
    if (count.getColumn(0).getInt64() > 0) {
        throw foreign(file);
    }
    return {};
}

Inspection inspectOurs(const fs::path& file) {
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE, kSessionBusyTimeoutMs);
    const int version = database.execAndGet("PRAGMA user_version").getInt();
    if (version > sessionSchemaVersion()) {
        throw newer(file, version);
    }
    const std::string check = database.execAndGet("PRAGMA quick_check(1)").getString();
    if (check != "ok") {
        return {State::Damaged, check};
    }
    return {State::Ours, ""};
}

Inspection inspect(const fs::path& file) {
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (status.type() == fs::file_type::not_found) {
        return {};
    }
    if (status.type() != fs::file_type::regular) {
        throw fileError(file.string(), "", error ? error.message() : "is not a file");
    }
    if (fs::file_size(file) == 0) {
        return {};
    }
    const auto header = readHeader(file);
    if (!header || !isSqlite(*header)) {
        return {State::Damaged, "it is not a database"};
    }
    const std::uint32_t id = applicationId(*header);
    if (id != 0 && id != static_cast<std::uint32_t>(kSessionApplicationId)) {
        throw foreign(file);
    }
    try {
        return id == 0 ? inspectUnmarked(file) : inspectOurs(file);
    } catch (const SQLite::Exception& cause) {
        if (meansDamage(cause)) {
            return {State::Damaged, cause.what()};
        }
        throw sessionError(file, cause);
    }
}

std::string timeStamp() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts{};
    localtime_r(&now, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y%m%d-%H%M%S", &parts);
    return text.data();
}

fs::path freeName(const fs::path& file) {
    const std::string base = file.string() + ".corrupt-" + timeStamp();
    fs::path name = base;
    for (int i = 2; fs::exists(name); ++i) {
        name = base + "-" + std::to_string(i);
    }
    return name;
}

/// Renames the file and what belongs to it, so that recovery tools find the set complete. The
/// companions go first: left behind, they would be applied to the fresh file.
std::string setAside(const fs::path& file, const std::string& damage) {
    const fs::path kept = freeName(file);
    try {
        for (const char* suffix : {"-wal", "-shm", "-journal", ""}) {
            const fs::path from = file.string() + suffix;
            if (fs::exists(from)) {
                fs::rename(from, kept.string() + suffix);
            }
        }
    } catch (const fs::filesystem_error& error) {
        throw fileError(file.string(), "",
                        fmt::format("is damaged ({}) and cannot be renamed: {}", damage,
                                    error.code().message()));
    }
    return fmt::format("{} was damaged ({}) and is kept as {}; a new one was begun", file.string(),
                       damage, kept.filename().string());
}

/// Switching to WAL needs the file for oneself for a moment and does not wait by itself.
void switchToWal(SQLite::Database& database) {
    for (int attempt = 1;; ++attempt) {
        try {
            database.execAndGet("PRAGMA journal_mode = WAL");
            return;
        } catch (const SQLite::Exception& cause) {
            if (cause.getErrorCode() != SQLITE_BUSY || attempt == kOpenAttempts) {
                throw;
            }
            sqlite3_sleep(20);
        }
    }
}

void createOrMigrate(const fs::path& file) {
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                              kSessionBusyTimeoutMs);
    if (sqlite3_db_readonly(database.getHandle(), "main") == 1) {
        throw fileError(file.string(), "", "may be read but not written");
    }
    migrate(database, sessionMigrations());
    switchToWal(database);
}

/// "file:" with every odd byte escaped, for SQLite's URI options.
std::string uriOf(const fs::path& file, const char* options) {
    std::string uri = "file:";
    for (const char c : file.string()) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '-' || c == '_';
        uri += plain ? std::string(1, c)
                     : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    return uri + options;
}

SQLite::Database openReadOnly(const fs::path& file) {
    const auto opened = [](const std::string& name, int flags) {
        SQLite::Database database(name, SQLite::OPEN_READONLY | flags, kSessionBusyTimeoutMs);
        database.execAndGet("PRAGMA user_version");  // opening alone reads nothing
        return database;
    };
    try {
        return opened(file.string(), 0);
    } catch (const SQLite::Exception& cause) {
        // A WAL file wants a shared-memory file beside it. Where that cannot be made, nobody can be
        // writing either, and the file may be read as it lies if nothing waits in its log.
        std::error_code error;
        const auto pending = fs::file_size(file.string() + "-wal", error);
        const bool noLog = error || pending == 0;
        const int code = cause.getErrorCode();
        if ((code != SQLITE_CANTOPEN && code != SQLITE_READONLY) || !noLog) {
            throw;
        }
        return opened(uriOf(file, "?immutable=1"), SQLite::OPEN_URI);
    }
}

}  // namespace

Error sessionError(const fs::path& file, const SQLite::Exception& cause) {
    switch (cause.getErrorCode()) {
        case SQLITE_FULL:
            return fileError(file.string(), "", "the disk is full");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return fileError(file.string(), "", "another program keeps it locked");
        case SQLITE_READONLY:
            return fileError(file.string(), "", "may be read but not written");
        case SQLITE_CANTOPEN:
            return fileError(file.string(), "", "cannot be opened or created");
        default:
            return fileError(file.string(), "", cause.what());
    }
}

bool meansDamage(const SQLite::Exception& cause) {
    return cause.getErrorCode() == SQLITE_CORRUPT || cause.getErrorCode() == SQLITE_NOTADB;
}

fs::path plainPath(const fs::path& file) {
    if (file.empty()) {
        throw Error("session file: the name is empty");
    }
    std::error_code error;
    const fs::path canonical = fs::weakly_canonical(fs::absolute(file), error);
    return error ? fs::absolute(file) : canonical;
}

std::string prepareSessionFile(const fs::path& file) {
    try {
        const Inspection found = inspect(file);
        std::string notice;
        if (found.state == State::Damaged) {
            notice = setAside(file, found.damage);
        }
        createOrMigrate(file);
        return notice;
    } catch (const SQLite::Exception& cause) {
        throw sessionError(file, cause);
    } catch (const fs::filesystem_error& error) {
        throw fileError(file.string(), "", error.code().message());
    }
}

SQLite::Database openForWriting(const fs::path& file) {
    try {
        SQLite::Database database(file.string(), SQLite::OPEN_READWRITE, kSessionBusyTimeoutMs);
        database.exec("PRAGMA foreign_keys = ON");
        database.exec("PRAGMA synchronous = NORMAL");
        database.exec("PRAGMA wal_autocheckpoint = 0");
        return database;
    } catch (const SQLite::Exception& cause) {
        throw sessionError(file, cause);
    }
}

SQLite::Database openForReading(const fs::path& file) {
    try {
        if (!fs::exists(file)) {
            throw fileError(file.string(), "", "there is no such file");
        }
        SQLite::Database database = openReadOnly(file);
        if (database.execAndGet("PRAGMA application_id").getInt() != kSessionApplicationId) {
            throw fileError(file.string(), "", "this is not a Gatescope session file");
        }
        return database;
    } catch (const SQLite::Exception& cause) {
        if (cause.getErrorCode() == SQLITE_NOTADB) {
            throw fileError(file.string(), "", "this is not a Gatescope session file");
        }
        throw sessionError(file, cause);
    } catch (const fs::filesystem_error& error) {
        throw fileError(file.string(), "", error.code().message());
    }
}

}  // namespace gatescope
