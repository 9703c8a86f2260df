// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace gatescope {

/// Threads that stay hot between operations: they spin briefly for the next job before they sleep,
/// because a decode step issues hundreds of jobs of a few microseconds each.
class ThreadPool {
  public:
    /// `threads` in all, the caller included; 0: one per core.
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const { return static_cast<int>(m_workers.size()) + 1; }

    /// Calls body(begin, end) over disjoint ranges that cover [0, count), at most `grain` long, on
    /// all threads; returns when all are done. body must not throw. Small jobs (count <= grain) run
    /// on the caller alone.
    template <typename Body>
    void parallelFor(std::int64_t count, std::int64_t grain, const Body& body) {
        if (count <= 0) return;
        if (count <= grain || m_workers.empty()) {
            body(std::int64_t{0}, count);
            return;
        }
        run({[](const void* b, std::int64_t begin, std::int64_t end) {
                 (*static_cast<const Body*>(b))(begin, end);
             },
             &body, count, grain});
    }

  private:
    struct Job {
        void (*call)(const void* body, std::int64_t begin, std::int64_t end) = nullptr;
        const void* body = nullptr;
        std::int64_t count = 0;
        std::int64_t grain = 1;
    };

    void run(const Job& job);
    void work();
    void workerLoop();

    std::vector<std::thread> m_workers;
    Job m_job;                              ///< written before m_epoch is raised
    std::atomic<std::int64_t> m_next{0};    ///< next index of the running job
    std::atomic<std::uint64_t> m_epoch{0};  ///< raised once for each job
    std::atomic<int> m_busy{0};             ///< workers that have not finished the running job
    std::atomic<bool> m_stop{false};
    std::mutex m_mutex;
    std::condition_variable m_wake;
};

}  // namespace gatescope
