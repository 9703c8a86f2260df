// SPDX-License-Identifier: Apache-2.0
#include "engine/session/checkpointer.h"

#include <sqlite3.h>

#include "engine/session/session_file.h"

namespace gatescope {

namespace {
constexpr int kLogPages = 1000;  // SQLite's own default: 4 MB
constexpr int kTooManyPages = 8 * kLogPages;
}  // namespace

Checkpointer::Checkpointer(const std::filesystem::path& file)
    : m_database(openForWriting(file)), m_thread([this] { run(); }) {}

Checkpointer::~Checkpointer() {
    {
        const std::lock_guard lock(m_mutex);
        m_stopping = true;
    }
    m_wake.notify_one();
    m_thread.join();
}

void Checkpointer::watch(SQLite::Database& writer) {
    sqlite3_wal_hook(
        writer.getHandle(),
        [](void* self, sqlite3* connection, const char*, int pages) {
            if (pages >= kLogPages) {
                static_cast<Checkpointer*>(self)->logHasGrown(connection, pages);
            }
            return SQLITE_OK;
        },
        this);
}

void Checkpointer::logHasGrown(sqlite3* writer, int pages) {
    if (pages >= kTooManyPages) {
        const std::lock_guard working(m_working);
        sqlite3_wal_checkpoint_v2(writer, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
        return;
    }
    {
        const std::lock_guard lock(m_mutex);
        m_due = true;
    }
    m_wake.notify_one();
}

void Checkpointer::run() {
    std::unique_lock lock(m_mutex);
    while (true) {
        m_wake.wait(lock, [this] { return m_due || m_stopping; });
        if (m_stopping) {
            return;  // closing the last connection checkpoints by itself
        }
        m_due = false;
        lock.unlock();
        std::unique_lock working(m_working);
        // Passive: it takes what it can without making a writer or reader wait. A failure leaves
        // the log as it is; a full disk is the writer's to report.
        m_database.tryExec("PRAGMA wal_checkpoint(PASSIVE)");
        working.unlock();
        lock.lock();
    }
}

}  // namespace gatescope
