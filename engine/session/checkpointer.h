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
    /// Should it not keep up with the writer, a commit finishes the work itself, as the log can
    /// only start over between two commits. The connection must be closed before the checkpointer
    /// goes.
    void watch(SQLite::Database& writer);

  private:
    void run();
    void logHasGrown(sqlite3* writer, int pages);

    SQLite::Database m_database;
    std::mutex m_working;  ///< held while a checkpoint runs
    std::mutex m_mutex;    ///< guards the two below
    std::condition_variable m_wake;
    bool m_due = false;
    bool m_stopping = false;
    std::jthread m_thread;
};

}  // namespace gatescope
