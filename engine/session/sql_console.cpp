// SPDX-License-Identifier: Apache-2.0
#include "engine/session/sql_console.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/error.h"
#include "engine/session/console_views.h"
#include "engine/session/session_file.h"
#include "engine/session/sql_guard.h"

namespace gatescope {

namespace {

struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// "line 2, column 7" for a byte of the text.
std::string placeIn(std::string_view sql, int offset) {
    const std::string_view before = sql.substr(0, static_cast<std::size_t>(std::max(offset, 0)));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t start = before.rfind('\n');
    const std::string_view inLine =
        start == std::string_view::npos ? before : before.substr(start + 1);
    const auto column =
        std::count_if(inLine.begin(), inLine.end(),
                      [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }) +
        1;
    return fmt::format("SQL, line {}, column {}", line, column);
}

std::string oneLine(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return text;
}

SqlCell cellOf(sqlite3_stmt* statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER:
            return std::int64_t{sqlite3_column_int64(statement, column)};
        case SQLITE_FLOAT:
            return sqlite3_column_double(statement, column);
        case SQLITE_TEXT: {
            const unsigned char* text = sqlite3_column_text(statement, column);
            const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
            return text == nullptr ? std::string()
                                   : std::string(reinterpret_cast<const char*>(text), size);
        }
        case SQLITE_BLOB: {
            const void* bytes = sqlite3_column_blob(statement, column);
            const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
            return SqlBlob{bytes == nullptr ? std::string()
                                            : std::string(static_cast<const char*>(bytes), size)};
        }
        default:
            return std::monostate();
    }
}

void bindCell(sqlite3_stmt* statement, int index, const SqlCell& cell) {
    if (const auto* whole = std::get_if<std::int64_t>(&cell)) {
        sqlite3_bind_int64(statement, index, *whole);
    } else if (const auto* number = std::get_if<double>(&cell)) {
        sqlite3_bind_double(statement, index, *number);
    } else if (const auto* text = std::get_if<std::string>(&cell)) {
        sqlite3_bind_text(statement, index, text->data(), static_cast<int>(text->size()),
                          SQLITE_TRANSIENT);
    } else if (const auto* blob = std::get_if<SqlBlob>(&cell)) {
        sqlite3_bind_blob(statement, index, blob->bytes.data(),
                          static_cast<int>(blob->bytes.size()), SQLITE_TRANSIENT);
    } else {
        sqlite3_bind_null(statement, index);
    }
}

std::size_t bytesOf(const SqlCell& cell) {
    std::size_t bytes = sizeof(SqlCell);
    if (const auto* text = std::get_if<std::string>(&cell)) {
        bytes += text->size();
    } else if (const auto* blob = std::get_if<SqlBlob>(&cell)) {
        bytes += blob->bytes.size();
    }
    return bytes;
}

}  // namespace

struct SqlConsole::Impl {
    explicit Impl(const std::filesystem::path& path) : file(path), database(openForReading(file)) {
        database.exec("PRAGMA temp_store = FILE");  // large sorts go to disk, not to memory
        makeViews();
    }

    int versionOfFile() {
        SQLite::Statement pragma(database, "PRAGMA user_version");
        pragma.executeStep();
        return pragma.getColumn(0).getInt();
    }
    void makeViews() {
        guard.reset();
        database.exec("PRAGMA query_only = OFF");  // it holds for temporary views too
        version = versionOfFile();
        makeConsoleViews(database, version);
        guard = std::make_unique<SqlGuard>(database);
    }
    /// A writer may have migrated the file since.
    void lookAtVersion() {
        if (versionOfFile() != version) {
            makeViews();
        }
    }

    Error error(const std::string& place, const std::string& cause) const {
        return fileError(file.string(), place, oneLine(cause));
    }
    Error refusedOr(const std::string& place, const std::string& cause) const {
        const std::string refused = guard->refusal();
        return refused.empty() ? error(place, cause) : error("SQL", refused);
    }
    Statement prepare(const std::string& sql);
    Statement prepareOne(const char* text, const char** tail, const std::string& sql);
    std::vector<std::string> namesOf(sqlite3_stmt* statement) const;
    void bind(sqlite3_stmt* statement, const SqlParameters& parameters) const;
    void readRows(sqlite3_stmt* statement, const SqlSink& sink);
    [[noreturn]] void fail(const SqlGuard::Watch& watch, std::size_t workBytes,
                           const std::stop_token& stop);

    std::filesystem::path file;
    SQLite::Database database;
    std::unique_ptr<SqlGuard> guard;
    int version = 0;
};

Statement SqlConsole::Impl::prepareOne(const char* text, const char** tail,
                                       const std::string& sql) {
    sqlite3* connection = database.getHandle();
    sqlite3_stmt* made = nullptr;
    const int left = static_cast<int>(sql.size() - static_cast<std::size_t>(text - sql.c_str()));
    const int outcome = sqlite3_prepare_v2(connection, text, left + 1, &made, tail);
    Statement statement(made);
    if (outcome != SQLITE_OK) {
        int offset = -1;
#if SQLITE_VERSION_NUMBER >= 3038000
        offset = sqlite3_error_offset(connection);
#endif
        const int before = static_cast<int>(text - sql.c_str());
        throw refusedOr(offset < 0 ? "SQL" : placeIn(sql, before + offset),
                        sqlite3_errmsg(connection));
    }
    return statement;
}

Statement SqlConsole::Impl::prepare(const std::string& sql) {
    if (sql.find('\0') != std::string::npos) {
        throw error("SQL", "the text holds a NUL character");
    }
    guard->refusal();  // what was refused earlier
    const char* tail = nullptr;
    Statement statement = prepareOne(sql.c_str(), &tail, sql);
    if (!statement) {
        throw error("SQL", "there is nothing to run");
    }
    const char* end = sql.c_str() + sql.size();
    while (tail < end) {  // semicolons and comments may follow
        const char* next = nullptr;
        Statement another;
        try {
            another = prepareOne(tail, &next, sql);
        } catch (const Error&) {
            throw error(placeIn(sql, static_cast<int>(tail - sql.c_str())),
                        "one statement at a time, please; here another begins");
        }
        if (another) {
            throw error(placeIn(sql, static_cast<int>(tail - sql.c_str())),
                        "one statement at a time, please; here another begins");
        }
        tail = next;
    }
    if (sqlite3_stmt_readonly(statement.get()) == 0) {
        throw error("SQL", "the console only reads");
    }
    return statement;
}

std::vector<std::string> SqlConsole::Impl::namesOf(sqlite3_stmt* statement) const {
    std::vector<std::string> names;
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); ++i) {
        const char* name = sqlite3_bind_parameter_name(statement, i);
        if (name == nullptr || name[0] == '?') {
            throw error("SQL", "a parameter needs a name, such as :session");
        }
        names.emplace_back(name + 1);
    }
    return names;
}

void SqlConsole::Impl::bind(sqlite3_stmt* statement, const SqlParameters& parameters) const {
    int index = 0;
    for (const std::string& name : namesOf(statement)) {
        const auto value = parameters.find(name);
        if (value == parameters.end()) {
            throw error("SQL", fmt::format("the query wants a value for :{}", name));
        }
        bindCell(statement, ++index, value->second);
    }
}

void SqlConsole::Impl::readRows(sqlite3_stmt* statement, const SqlSink& sink) {
    std::vector<std::string> columns;
    const int count = sqlite3_column_count(statement);
    for (int i = 0; i < count; ++i) {
        const char* name = sqlite3_column_name(statement, i);
        columns.emplace_back(name == nullptr ? "" : name);
    }
    sink.begin(columns);
    std::vector<SqlCell> row(columns.size());
    int outcome = SQLITE_ROW;
    while ((outcome = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < count; ++i) {
            row[static_cast<std::size_t>(i)] = cellOf(statement, i);
        }
        if (!sink.row(row)) {
            return;
        }
    }
    if (outcome != SQLITE_DONE) {
        throw SQLite::Exception(database.getHandle(), outcome);
    }
}

void SqlConsole::Impl::fail(const SqlGuard::Watch& watch, std::size_t workBytes,
                            const std::stop_token& stop) {
    if (watch.tookTooMuch()) {
        throw error("SQL",
                    fmt::format("the query was stopped because it took more than {} MB of memory",
                                workBytes >> 20));
    }
    if (stop.stop_requested()) {
        throw Cancelled();
    }
    switch (sqlite3_errcode(database.getHandle())) {
        case SQLITE_FULL:
            throw error("SQL", "the disk has no room for what the query sorts");
        case SQLITE_TOOBIG:
            throw error("SQL", "a value would be longer than 8 MB");
        default:
            throw refusedOr("SQL", sqlite3_errmsg(database.getHandle()));
    }
}

SqlConsole::SqlConsole(const std::filesystem::path& file) {
    const std::filesystem::path plain = plainPath(file);
    try {
        m_impl = std::make_unique<Impl>(plain);
    } catch (const SQLite::Exception& cause) {
        throw sessionError(plain, cause);
    }
}

SqlConsole::~SqlConsole() = default;
SqlConsole::SqlConsole(SqlConsole&&) noexcept = default;
SqlConsole& SqlConsole::operator=(SqlConsole&&) noexcept = default;

std::vector<std::string> SqlConsole::parameters(const std::string& sql) {
    try {
        m_impl->lookAtVersion();
        return m_impl->namesOf(m_impl->prepare(sql).get());
    } catch (const SQLite::Exception& cause) {
        throw sessionError(m_impl->file, cause);
    }
}

void SqlConsole::stream(const std::string& sql, const SqlParameters& parameters,
                        const SqlSink& sink, std::stop_token stop, std::size_t workBytes) {
    if (stop.stop_requested()) {
        throw Cancelled();
    }
    try {
        m_impl->lookAtVersion();
    } catch (const SQLite::Exception& cause) {
        throw sessionError(m_impl->file, cause);
    }
    const Statement statement = m_impl->prepare(sql);
    m_impl->bind(statement.get(), parameters);
    const SqlGuard::Watch watch(*m_impl->guard, workBytes, stop);
    try {
        m_impl->readRows(statement.get(), sink);
    } catch (const SQLite::Exception&) {
        m_impl->fail(watch, workBytes, stop);
    }
}

SqlResult SqlConsole::run(const std::string& sql, const SqlParameters& parameters,
                          const SqlLimits& limits, std::stop_token stop) {
    const auto start = std::chrono::steady_clock::now();
    SqlResult result;
    std::size_t bytes = 0;
    SqlSink sink;
    sink.begin = [&result](const std::vector<std::string>& columns) { result.columns = columns; };
    sink.row = [&](std::span<const SqlCell> row) {
        std::size_t more = sizeof(std::vector<SqlCell>);
        for (const SqlCell& cell : row) {
            more += bytesOf(cell);
        }
        if (result.rows.size() == limits.rows || bytes + more > limits.bytes) {
            result.notice =
                fmt::format("Only the first {} rows are here; there are more.", result.rows.size());
            return false;
        }
        bytes += more;
        result.rows.emplace_back(row.begin(), row.end());
        return true;
    };
    stream(sql, parameters, sink, std::move(stop), limits.workBytes);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

}  // namespace gatescope
