// SPDX-License-Identifier: Apache-2.0
#include "engine/session/log_queue.h"

#include <iterator>
#include <utility>

#include "engine/error.h"
#include "engine/session/session_file.h"

namespace gatescope {

namespace {

/// Half of the promised 100 ms, so that the commit itself fits in the rest.
constexpr std::chrono::milliseconds kGather{50};
constexpr std::chrono::seconds kRetryAfter{1};
/// At the end somebody waits for the program to close; each attempt already waits for locks.
constexpr int kClosingAttempts = 3;

}  // namespace

LogQueue::LogQueue(const std::filesystem::path& file)
    : m_file(file), m_checkpointer(file), m_database(openForWriting(file)), m_writer(m_database) {
    m_checkpointer.watch(m_database);
    m_thread = std::jthread([this] { run(); });
}

LogQueue::~LogQueue() {
    {
        const std::lock_guard lock(m_mutex);
        m_stopping = true;
    }
    m_wake.notify_one();
    m_thread.join();
}

void LogQueue::push(LogEntry entry, bool now) {
    bool wake = now;
    {
        const std::lock_guard lock(m_mutex);
        if (m_queue.empty()) {
            m_dueAt = Clock::now() + kGather;
            wake = true;
        }
        m_queue.push_back(std::move(entry));
        ++m_pushed;
        m_now = m_now || now;
    }
    if (wake) {
        m_wake.notify_one();
    }
}

void LogQueue::flush() {
    std::unique_lock lock(m_mutex);
    const std::uint64_t target = m_pushed;
    const std::uint64_t begun = m_attempts;
    if (m_written >= target) {
        return;
    }
    m_now = true;
    m_wake.notify_one();
    m_attempted.wait(lock, [&] { return m_written >= target || m_lastFailure > begun; });
    if (m_written < target) {
        throw Error(m_failure);
    }
}

void LogQueue::onError(std::function<void(std::string)> handler) {
    const std::lock_guard lock(m_mutex);
    m_handler = std::move(handler);
}

void LogQueue::run() {
    std::vector<LogEntry> pending;
    int closingAttempts = 0;
    std::unique_lock lock(m_mutex);
    while (collect(lock, pending)) {
        const std::uint64_t number = ++m_attempts;
        const bool closing = m_stopping;
        lock.unlock();
        const std::string failure = attempt(pending);
        if (!failure.empty()) {
            m_failing = true;
            report(failure);
        }
        lock.lock();
        m_failure = failure;
        if (failure.empty()) {
            m_written += pending.size();
            pending.clear();
        } else {
            m_lastFailure = number;
        }
        m_attempted.notify_all();
        if (!failure.empty() && closing && ++closingAttempts == kClosingAttempts) {
            const std::size_t lost = pending.size() + m_queue.size();
            lock.unlock();
            report(fmt::format("{} ({} entries of the session could not be kept)", failure, lost));
            return;
        }
    }
}

bool LogQueue::collect(std::unique_lock<std::mutex>& lock, std::vector<LogEntry>& pending) {
    const auto hurry = [this] { return m_now || m_stopping; };
    if (!pending.empty()) {
        m_wake.wait_for(lock, kRetryAfter, hurry);
    } else {
        m_wake.wait(lock, [this] { return !m_queue.empty() || m_stopping; });
        if (!m_queue.empty()) {
            m_wake.wait_until(lock, m_dueAt, hurry);
        }
    }
    m_now = false;
    if (pending.empty()) {
        pending.swap(m_queue);
    } else {
        std::move(m_queue.begin(), m_queue.end(), std::back_inserter(pending));
        m_queue.clear();
    }
    return !pending.empty();
}

std::string LogQueue::attempt(const std::vector<LogEntry>& pending) {
    try {
        const std::vector<std::string> refused = m_writer.write(pending);
        if (std::exchange(m_failing, false)) {
            m_reported.clear();  // the next failure is news again
        }
        for (const std::string& message : refused) {
            report(fmt::format("{}: {}", m_file.string(), message));
        }
        return {};
    } catch (const SQLite::Exception& cause) {
        return sessionError(m_file, cause).what();
    } catch (const std::exception& cause) {
        return fileError(m_file.string(), "", cause.what()).what();
    }
}

void LogQueue::report(const std::string& message) {
    std::function<void(std::string)> handler;
    {
        const std::lock_guard lock(m_mutex);
        handler = m_handler;
    }
    // Not counted as told while nobody listens: it is said again to a handler set later.
    if (handler && m_reported.insert(message).second) {
        handler(message);
    }
}

}  // namespace gatescope
