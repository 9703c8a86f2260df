// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/session/batch_writer.h"
#include "engine/session/checkpointer.h"
#include "engine/session/log_entry.h"

namespace gatescope {

/// The lossless queue of a session log and the thread that empties it into the file. An entry is
/// committed at most 100 ms after it came, as far as the machine allows; where writing fails the
/// entries stay queued and are tried again every second.
class LogQueue {
  public:
    explicit LogQueue(const std::filesystem::path& file);  ///< a prepared file; throws Error
    /// Writes what is queued. If that fails it reports how much is lost.
    ~LogQueue();
    LogQueue(const LogQueue&) = delete;
    LogQueue& operator=(const LogQueue&) = delete;

    /// `now`: do not wait for more to come, write at once. Never blocks on the file.
    void push(LogEntry entry, bool now);
    /// Returns when all that was pushed before is committed; throws Error if an attempt begun
    /// after the call fails (the entries stay queued).
    void flush();
    void onError(std::function<void(std::string)> handler);

  private:
    using Clock = std::chrono::steady_clock;

    void run();
    /// Waits until there is something to do and collects it. False: everything is done, stop.
    bool collect(std::unique_lock<std::mutex>& lock, std::vector<LogEntry>& pending);
    /// One attempt to write. The sentence of what went wrong, empty if it went well.
    std::string attempt(const std::vector<LogEntry>& pending);
    void report(const std::string& message);

    std::filesystem::path m_file;
    Checkpointer m_checkpointer;
    SQLite::Database m_database;       ///< of the writer's thread
    BatchWriter m_writer;              ///< of the writer's thread
    bool m_failing = false;            ///< of the writer's thread
    std::set<std::string> m_reported;  ///< of the writer's thread: what the handler was told

    std::mutex m_mutex;  ///< guards all below
    std::condition_variable m_wake;
    std::condition_variable m_attempted;
    std::vector<LogEntry> m_queue;
    Clock::time_point m_dueAt;        ///< when the oldest entry of m_queue must be on its way
    std::uint64_t m_pushed = 0;       ///< entries ever pushed
    std::uint64_t m_written = 0;      ///< entries ever dealt with
    std::uint64_t m_attempts = 0;     ///< attempts begun
    std::uint64_t m_lastFailure = 0;  ///< the last failed attempt
    std::string m_failure;            ///< why; empty after a success
    bool m_now = false;
    bool m_stopping = false;
    std::function<void(std::string)> m_handler;

    std::jthread m_thread;
};

}  // namespace gatescope
