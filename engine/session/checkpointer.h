// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

namespace gatescope {

/// Moves the write-ahead log into the database on a thread and a connection of its own. A
/// checkpoint waits for the disk; inside a commit it would make the next tokens wait with it.
class Checkpointer {
  public:
    explicit Checkpointer(const std::filesystem::path& file);  ///< throws Error
    ~Checkpointer();
    Checkpointer(const Checkpointer&) = delete;
    Checkpointer& operator=(const Checkpointer&) = delete;

    /// Watches a connection's commits: once the log is long enough the checkpointer sets to work.
    /// The connection must be closed before the checkpointer goes.
    void watch(SQLite::Database& writer);

  private:
    void run();
    void logHasGrown();

    SQLite::Database m_database;
    std::mutex m_mutex;
    std::condition_variable m_wake;
    bool m_due = false;
    bool m_stopping = false;
    std::jthread m_thread;
};

}  // namespace gatescope
