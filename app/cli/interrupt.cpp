// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/interrupt.h"

#include <cstdlib>

namespace gatescope::cli {
namespace {

sigset_t interruptSet() {
    sigset_t set{};
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    return set;
}

}  // namespace

Interrupt::Interrupt(std::function<void()> whenIdle) : m_whenIdle(std::move(whenIdle)) {
    const sigset_t set = interruptSet();
    pthread_sigmask(SIG_BLOCK, &set, &m_previous);
    m_watcher = std::thread([this] { watch(); });
}

Interrupt::~Interrupt() {
    {
        const std::lock_guard lock(m_mutex);
        m_quit = true;
    }
    pthread_kill(m_watcher.native_handle(), SIGINT);
    m_watcher.join();
    pthread_sigmask(SIG_SETMASK, &m_previous, nullptr);
}

std::stop_token Interrupt::begin() {
    const std::lock_guard lock(m_mutex);
    m_work = std::stop_source();
    m_running = true;
    return m_work.get_token();
}

void Interrupt::end() {
    const std::lock_guard lock(m_mutex);
    m_running = false;
}

void Interrupt::die() {
    const sigset_t set = interruptSet();
    signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    raise(SIGINT);
    std::abort();
}

void Interrupt::watch() {
    const sigset_t set = interruptSet();
    while (true) {
        int received = 0;
        sigwait(&set, &received);
        std::unique_lock lock(m_mutex);
        if (m_quit) return;
        if (m_running) {
            m_work.request_stop();
            continue;
        }
        lock.unlock();
        m_whenIdle();
    }
}

}  // namespace gatescope::cli
