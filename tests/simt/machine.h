// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <simt/launch.h>

#include <array>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "tests/simt/fiber.h"

namespace simt::detail {

/// Runs kernels: the blocks one after the other, the threads of a block by turns. A thread goes on
/// until it has to wait; then, still on its own stack, it picks who is next. Threads that never
/// wait share one fiber.
class Machine {
  public:
    static Machine& instance();

    /// Runs every thread of the launch. Empty if all went well, otherwise what went wrong.
    std::string run(const Launch& launch);

    // Called by the running thread.
    unsigned laneIndex() const { return m_current % kLanes; }
    const void* exchange(unsigned mask, const void* value, std::size_t bytes,
                         std::source_location where);
    void blockBarrier(std::source_location where);
    [[noreturn]] void trap();
    void* dynamicSharedMemory() { return m_shared.get(); }

    std::size_t switches() const { return m_switches; }

  private:
    static constexpr unsigned kLanes = 32;
    static constexpr unsigned kMaxThreads = 1024;
    static constexpr unsigned kNone = ~0u;

    /// What the lanes of one warp operation deposited.
    struct Snapshot {
        unsigned users = 0;  ///< lanes that may still look at it
        std::vector<std::byte> values;
    };
    struct Thread {
        uint3 index{};
        Fiber* fiber = nullptr;  ///< null before the thread's first step
        Snapshot* snapshot = nullptr;
        // What it waits for.
        std::source_location where;
        unsigned mask = 0;
        const void* value = nullptr;
        std::size_t bytes = 0;
    };
    /// Lanes by what they do. `ready` counts places in the order of turns, the others lanes.
    struct Warp {
        unsigned first = 0;  ///< thread
        unsigned lanes = 0;  ///< mask of those that exist
        unsigned ready = 0;
        unsigned exchanging = 0;
        unsigned atBarrier = 0;
        unsigned left = 0;
        std::array<std::uint8_t, kLanes> laneAt{};   ///< place in the order -> lane
        std::array<std::uint8_t, kLanes> placeOf{};  ///< lane -> place
        std::vector<std::unique_ptr<Snapshot>> snapshots;
    };

    Machine();
    static void fiberEntry();
    void runThreads();

    void prepare(const Launch& launch);
    void orderTurns(unsigned seed);
    bool beginNextBlock();
    void reset(Warp& warp);
    /// The thread whose turn it is, or kNone at the end of the grid and after an error.
    unsigned pickNext();
    bool releaseExchange(Warp& warp);
    bool isComplete(const Warp& warp, unsigned lane) const;
    void finishExchange(Warp& warp, unsigned mask);
    void reportDivergence(const Warp& warp);
    bool releaseBarrier();
    bool barrierIsWhole(unsigned waiting, unsigned left);
    void endBlock();

    void select(unsigned thread);
    void waitForTurn();
    [[noreturn]] void leave();
    void goTo(Fiber& fiber);
    Fiber& idleFiber();
    void abandon();
    void report(unsigned thread, const std::string& cause);
    std::string describeThread(unsigned thread) const;
    std::string describeLane(const Warp& warp, unsigned lane) const;
    Warp& warpOf(unsigned thread) { return m_warps[thread / kLanes]; }

    const Launch* m_launch = nullptr;
    std::string m_error;
    std::uint64_t m_blocks = 0;
    std::uint64_t m_nextBlock = 0;
    std::vector<std::uint64_t> m_blockOrder;  ///< empty: natural
    unsigned m_threads = 0;
    std::vector<Thread> m_thread;
    std::vector<Warp> m_warps;
    std::vector<unsigned> m_warpOrder;
    std::size_t m_turn = 0;  ///< whose turn it is, in m_warpOrder
    unsigned m_current = 0;

    struct Release {
        void operator()(std::byte* memory) const;
    };
    std::unique_ptr<std::byte, Release> m_shared;
    std::size_t m_sharedBytes = 0;

    Fiber m_host;
    Fiber* m_running = nullptr;
    std::vector<std::unique_ptr<Fiber>> m_fibers;
    std::vector<Fiber*> m_idle;
    std::size_t m_switches = 0;
};

}  // namespace simt::detail
