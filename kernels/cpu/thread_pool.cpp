// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/thread_pool.h"

#include <algorithm>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace gatescope {

namespace {

// About 50 microseconds of spinning covers the gaps between the operations of one step; longer
// would steal the core from other programs while nothing is generated.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#else
    std::this_thread::yield();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
    const int cores = std::max(1u, std::thread::hardware_concurrency());
    const int total = threads > 0 ? threads : cores;
    for (int i = 1; i < total; ++i) m_workers.emplace_back([this] { workerLoop(); });
}

ThreadPool::~ThreadPool() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop.store(true);
    }
    m_wake.notify_all();
    for (auto& worker : m_workers) worker.join();
}

void ThreadPool::run(const Job& job) {
    m_job = job;
    m_next.store(0, std::memory_order_relaxed);
    m_busy.store(static_cast<int>(m_workers.size()), std::memory_order_relaxed);
    {
        // Under the lock, so that a worker about to sleep cannot miss the new epoch.
        const std::lock_guard lock(m_mutex);
        m_epoch.fetch_add(1, std::memory_order_release);
    }
    m_wake.notify_all();
    work();
    for (int spin = 0; m_busy.load(std::memory_order_acquire) != 0; ++spin) {
        if (spin < kSpins) {
            pause();
        } else {
            std::this_thread::yield();
        }
    }
}

void ThreadPool::work() {
    for (;;) {
        const auto begin = m_next.fetch_add(m_job.grain, std::memory_order_relaxed);
        if (begin >= m_job.count) return;
        m_job.call(m_job.body, begin, std::min(begin + m_job.grain, m_job.count));
    }
}

void ThreadPool::workerLoop() {
    std::uint64_t seen = 0;
    for (;;) {
        for (int spin = 0; spin < kSpins && m_epoch.load(std::memory_order_acquire) == seen; ++spin)
            pause();
        if (m_epoch.load(std::memory_order_acquire) == seen) {
            std::unique_lock lock(m_mutex);
            m_wake.wait(lock, [&] { return m_stop.load() || m_epoch.load() != seen; });
        }
        if (m_stop.load(std::memory_order_relaxed)) return;
        seen = m_epoch.load(std::memory_order_acquire);
        work();
        m_busy.fetch_sub(1, std::memory_order_release);
    }
}

}  // namespace gatescope
