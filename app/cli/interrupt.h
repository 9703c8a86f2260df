// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <csignal>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace gatescope::cli {

/// Ctrl+C as a stop request: while one of these lives, it stops the work that runs, not the
/// program. Make it before any other thread, so that no other thread is interrupted.
class Interrupt {
  public:
    /// `whenIdle` is called, on a thread of its own, for a Ctrl+C while no work runs.
    explicit Interrupt(std::function<void()> whenIdle);
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    /// The work that begins now is stopped by the next Ctrl+C, until end().
    std::stop_token begin();
    void end();

    /// Lets Ctrl+C end the program as usual, at once.
    [[noreturn]] static void die();

  private:
    void watch();

    std::function<void()> m_whenIdle;
    sigset_t m_previous{};
    std::mutex m_mutex;
    std::stop_source m_work;
    bool m_running = false;
    bool m_quit = false;
    std::thread m_watcher;
};

}  // namespace gatescope::cli
