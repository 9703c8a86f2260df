// SPDX-License-Identifier: Apache-2.0
#include "engine/session/sql_guard.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace gatescope {

namespace {

// A text or blob of the file is at most the ids of a long answer; the other limits are far above
// what a person writes and far below what would hang the program.
constexpr int kCellBytes = 8 << 20;
constexpr int kProgressSteps = 200;  // machine instructions between two looks

constexpr std::array<std::pair<int, int>, 9> kLimits = {{{SQLITE_LIMIT_LENGTH, kCellBytes},
                                                         {SQLITE_LIMIT_SQL_LENGTH, 100'000},
                                                         {SQLITE_LIMIT_COLUMN, 200},
                                                         {SQLITE_LIMIT_EXPR_DEPTH, 200},
                                                         {SQLITE_LIMIT_COMPOUND_SELECT, 50},
                                                         {SQLITE_LIMIT_ATTACHED, 0},
                                                         {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
                                                         {SQLITE_LIMIT_VARIABLE_NUMBER, 100},
                                                         {SQLITE_LIMIT_WORKER_THREADS, 0}}};

/// They tell about the file and change nothing. With a value they would: those are refused.
constexpr std::array<std::string_view, 6> kPlainPragmas = {
    "user_version", "application_id", "page_count", "page_size", "freelist_count", "data_version"};
/// These take the name of a table or index.
constexpr std::array<std::string_view, 11> kTablePragmas = {
    "table_info",    "table_xinfo",    "table_list",     "index_list",
    "index_info",    "index_xinfo",    "function_list",  "foreign_key_list",
    "database_list", "collation_list", "compile_options"};
constexpr std::array<std::string_view, 7> kFunctions = {
    "load_extension", "fts3_tokenizer", "writefile", "readfile", "edit", "lsdir", "sqlite_log"};

constexpr std::array<std::string_view, 2> kSchemaTables = {"sqlite_master", "sqlite_temp_master"};

template <std::size_t count>
bool isOneOf(std::string_view name, const std::array<std::string_view, count>& list) {
    return std::find_if(list.begin(), list.end(), [name](std::string_view other) {
               return sqlite3_strnicmp(name.data(), other.data(), static_cast<int>(other.size())) ==
                          0 &&
                      name.size() == other.size();
           }) != list.end();
}

std::string_view viewOf(const char* text) {
    return text == nullptr ? std::string_view() : std::string_view(text);
}

/// What people call the operation.
const char* operation(int action) {
    switch (action) {
        case SQLITE_INSERT:
            return "writing rows";
        case SQLITE_UPDATE:
            return "changing rows";
        case SQLITE_DELETE:
            return "deleting rows";
        case SQLITE_ATTACH:
        case SQLITE_DETACH:
            return "ATTACH and DETACH";
        case SQLITE_TRANSACTION:
        case SQLITE_SAVEPOINT:
            return "a transaction";
        case SQLITE_REINDEX:
        case SQLITE_ANALYZE:
            return "ANALYZE and REINDEX";
        default:
            return "changing the schema";
    }
}

/// Empty for what may be done.
std::string refusalOf(int action, std::string_view first, std::string_view second) {
    switch (action) {
        case SQLITE_SELECT:
        case SQLITE_READ:
        case SQLITE_RECURSIVE:
            return "";
        case SQLITE_FUNCTION:
            return isOneOf(second, kFunctions) ? fmt::format("the function {}()", second) : "";
        case SQLITE_UPDATE:
            // So a virtual table tells its columns when it is first looked at. A real change is
            // refused by SQLite itself: the connection cannot write.
            return isOneOf(first, kSchemaTables) ? "" : operation(action);
        case SQLITE_PRAGMA:
            return isOneOf(first, kTablePragmas) ||
                           (isOneOf(first, kPlainPragmas) && second.empty())
                       ? ""
                       : fmt::format("PRAGMA {}", first);
        default:
            return operation(action);
    }
}

}  // namespace

struct SqlGuard::State {
    std::string refusal;
};

struct SqlGuard::Watch::State {
    sqlite3* connection = nullptr;
    std::stop_token stop;
    std::int64_t memoryAllowed = 0;
    bool tooMuch = false;
    struct Interrupt {
        sqlite3* connection;
        void operator()() const { sqlite3_interrupt(connection); }
    };
    std::unique_ptr<std::stop_callback<Interrupt>> interrupt;
};

SqlGuard::SqlGuard(SQLite::Database& database)
    : m_database(database), m_state(std::make_unique<State>()) {
    sqlite3* connection = database.getHandle();
    database.exec("PRAGMA query_only = ON");
    // A file can hold views and triggers that its sender wrote: they get none of our functions.
    for (const int option :
         {SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_TRIGGER,
          SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION}) {
        sqlite3_db_config(connection, option, 0, nullptr);
    }
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    for (const auto& [limit, most] : kLimits) {
        sqlite3_limit(connection, limit, most);
    }
    const auto authorize = [](void* state, int action, const char* first, const char* second,
                              const char* /*database*/, const char* /*trigger*/) {
        const std::string refused = refusalOf(action, viewOf(first), viewOf(second));
        if (refused.empty()) {
            return SQLITE_OK;
        }
        static_cast<State*>(state)->refusal = refused;
        return SQLITE_DENY;
    };
    sqlite3_set_authorizer(connection, authorize, m_state.get());
}

SqlGuard::~SqlGuard() {
    sqlite3_set_authorizer(m_database.getHandle(), nullptr, nullptr);
}

std::string SqlGuard::refusal() const {
    const std::string refused = std::exchange(m_state->refusal, "");
    return refused.empty() ? "" : fmt::format("the console only reads: {} is refused", refused);
}

SqlGuard::Watch::Watch(SqlGuard& guard, std::size_t memoryBytes, std::stop_token stop)
    : m_state(std::make_unique<State>()) {
    m_state->connection = guard.m_database.getHandle();
    m_state->stop = std::move(stop);
    m_state->memoryAllowed = sqlite3_memory_used() + static_cast<std::int64_t>(memoryBytes);
    const auto look = [](void* opaque) {
        State& state = *static_cast<State*>(opaque);
        state.tooMuch = state.tooMuch || sqlite3_memory_used() > state.memoryAllowed;
        return state.tooMuch || state.stop.stop_requested() ? 1 : 0;
    };
    sqlite3_progress_handler(m_state->connection, kProgressSteps, look, m_state.get());
    // Sorting and full-text search run long between two looks.
    m_state->interrupt = std::make_unique<std::stop_callback<State::Interrupt>>(
        m_state->stop, State::Interrupt{m_state->connection});
}

SqlGuard::Watch::~Watch() {
    m_state->interrupt.reset();
    sqlite3_progress_handler(m_state->connection, 0, nullptr, nullptr);
}

bool SqlGuard::Watch::tookTooMuch() const {
    return m_state->tooMuch;
}

}  // namespace gatescope
