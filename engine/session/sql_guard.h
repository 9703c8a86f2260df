// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>

namespace gatescope {

/// Keeps a connection to reading, within limits: everything that is not plain reading is refused
/// while a statement is prepared, and a running one can be stopped.
class SqlGuard {
  public:
    /// From here on the connection only reads. It must outlive the guard.
    explicit SqlGuard(SQLite::Database& database);
    ~SqlGuard();
    SqlGuard(const SqlGuard&) = delete;
    SqlGuard& operator=(const SqlGuard&) = delete;

    /// Why the last statement was refused ("the console only reads: writing rows is refused"),
    /// once; empty if the guard had nothing against it.
    std::string refusal() const;

    /// While one lives, what runs on the connection ends soon after `stop` is requested or when it
    /// takes more memory than that.
    class Watch {
      public:
        Watch(SqlGuard& guard, std::size_t memoryBytes, std::stop_token stop);
        ~Watch();
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;
        bool tookTooMuch() const;

      private:
        struct State;
        std::unique_ptr<State> m_state;
    };

  private:
    struct State;
    SQLite::Database& m_database;
    std::unique_ptr<State> m_state;
};

}  // namespace gatescope
