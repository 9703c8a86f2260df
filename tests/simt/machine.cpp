// SPDX-License-Identifier: Apache-2.0
#include "tests/simt/machine.h"

#include <simt/options.h>
#include <simt/warp.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <numeric>

#include "tests/simt/canary.h"
#include "tests/simt/crash.h"

uint3 threadIdx{};
uint3 blockIdx{};
dim3 blockDim;
dim3 gridDim;

namespace simt {

void* dynamicSharedMemory() {
    return detail::Machine::instance().dynamicSharedMemory();
}

namespace detail {

unsigned laneIndex() {
    return Machine::instance().laneIndex();
}

const void* exchange(unsigned mask, const void* value, std::size_t bytes,
                     std::source_location where) {
    return Machine::instance().exchange(mask, value, bytes, where);
}

void blockBarrier(std::source_location where) {
    Machine::instance().blockBarrier(where);
}

void trap() {
    Machine::instance().trap();
}

namespace {

std::string text(const uint3& v) {
    return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

std::string text(std::source_location where) {
    const std::string file = where.file_name();
    return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
}

std::string maskText(unsigned mask) {
    std::string digits(8, '0');
    for (int i = 7; i >= 0; --i, mask >>= 4)
        digits[static_cast<std::size_t>(i)] = "0123456789abcdef"[mask & 15u];
    return "0x" + digits;
}

bool same(std::source_location a, std::source_location b) {
    return a.line() == b.line() && a.column() == b.column() &&
           (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

/// SplitMix64: the same numbers with every compiler, and free to begin.
class Random {
  public:
    explicit Random(std::uint64_t seed) : m_state(seed) {}
    std::uint64_t below(std::uint64_t limit) {
        std::uint64_t z = m_state += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return (z ^ (z >> 31)) % limit;
    }

  private:
    std::uint64_t m_state;
};

template <typename T>
void shuffle(std::vector<T>& values, Random& random) {
    for (std::size_t i = values.size(); i > 1; --i)
        std::swap(values[i - 1], values[random.below(i)]);
}

/// Most values are one number, which costs no call.
void copyValue(std::byte* to, const void* from, std::size_t bytes) {
    if (bytes == sizeof(float)) {
        std::memcpy(to, from, sizeof(float));
    } else {
        std::memcpy(to, from, bytes);
    }
}

}  // namespace

void Machine::Release::operator()(std::byte* memory) const {
    std::free(memory);
}

Machine& Machine::instance() {
    static Machine machine;
    return machine;
}

Machine::Machine() : m_thread(kMaxThreads) {
    m_running = &m_host;
}

std::string Machine::run(const Launch& launch) {
    prepare(launch);
    const CrashReport crashReport([] {
        static std::string running;
        running = instance().describeThread(instance().m_current);
        return running.c_str();
    });
    const unsigned first = pickNext();
    if (first != kNone) {
        select(first);
        goTo(idleFiber());
    }
    if (!m_error.empty()) abandon();
    m_launch = nullptr;
    return m_error;
}

void Machine::prepare(const Launch& launch) {
    m_launch = &launch;
    m_error.clear();
    blockDim = launch.block;
    gridDim = launch.grid;
    m_threads = launch.block.x * launch.block.y * launch.block.z;
    m_blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
    m_nextBlock = 0;
    for (unsigned i = 0; i < m_threads; ++i)
        m_thread[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y,
                             i / blockDim.x / blockDim.y};
    m_warps.resize((m_threads + kLanes - 1) / kLanes);
    for (unsigned w = 0; w < m_warps.size(); ++w) {
        m_warps[w].first = w * kLanes;
        const unsigned lanes = std::min(kLanes, m_threads - w * kLanes);
        m_warps[w].lanes = lanes == kLanes ? ~0u : (1u << lanes) - 1;
        reset(m_warps[w]);
        m_warps[w].ready = 0;
    }
    orderTurns(options().laneOrderSeed);
    m_shared.reset(static_cast<std::byte*>(std::malloc(launch.sharedBytes + kCanaryBytes)));
    if (m_shared == nullptr) throw std::bad_alloc();
    m_sharedBytes = launch.sharedBytes;
    writeCanary(m_shared.get() + m_sharedBytes);
    m_turn = m_warps.size();
}

void Machine::orderTurns(unsigned seed) {
    Random random(seed);
    m_warpOrder.resize(m_warps.size());
    std::iota(m_warpOrder.begin(), m_warpOrder.end(), 0u);
    m_blockOrder.clear();
    if (seed != 0) {
        shuffle(m_warpOrder, random);
        m_blockOrder.resize(m_blocks);
        std::iota(m_blockOrder.begin(), m_blockOrder.end(), std::uint64_t{0});
        shuffle(m_blockOrder, random);
    }
    for (Warp& warp : m_warps) {
        std::vector<std::uint8_t> order(static_cast<std::size_t>(std::popcount(warp.lanes)));
        std::iota(order.begin(), order.end(), std::uint8_t{0});
        if (seed != 0) shuffle(order, random);
        for (std::size_t place = 0; place < order.size(); ++place) {
            warp.laneAt[place] = order[place];
            warp.placeOf[order[place]] = static_cast<std::uint8_t>(place);
        }
    }
}

bool Machine::beginNextBlock() {
    if (m_nextBlock == m_blocks) return false;
    const std::uint64_t block = m_blockOrder.empty() ? m_nextBlock : m_blockOrder[m_nextBlock];
    ++m_nextBlock;
    const std::uint64_t row = block / gridDim.x;
    blockIdx = {static_cast<unsigned>(block % gridDim.x), static_cast<unsigned>(row % gridDim.y),
                static_cast<unsigned>(row / gridDim.y)};
    if (m_sharedBytes != 0) std::memset(m_shared.get(), 0xff, m_sharedBytes);
    for (Warp& warp : m_warps) reset(warp);
    m_turn = 0;
    return true;
}

void Machine::reset(Warp& warp) {
    warp.ready = warp.lanes;
    warp.exchanging = warp.atBarrier = warp.left = 0;
    for (const auto& snapshot : warp.snapshots) snapshot->users = 0;
    const auto lanes = static_cast<unsigned>(std::popcount(warp.lanes));
    for (unsigned lane = 0; lane < lanes; ++lane) {
        Thread& thread = m_thread[warp.first + lane];
        thread.fiber = nullptr;
        thread.snapshot = nullptr;
    }
}

unsigned Machine::pickNext() {
    while (m_error.empty()) {
        if (m_turn < m_warps.size()) {
            Warp& warp = m_warps[m_warpOrder[m_turn]];
            if (warp.ready != 0) {
                const auto place = static_cast<unsigned>(std::countr_zero(warp.ready));
                warp.ready &= warp.ready - 1;
                return warp.first + warp.laneAt[place];
            }
            if (warp.exchanging == 0) {
                ++m_turn;
            } else if (!releaseExchange(warp)) {
                reportDivergence(warp);
            }
        } else if (!releaseBarrier() && m_error.empty() && !beginNextBlock()) {
            break;
        }
    }
    return kNone;
}

bool Machine::releaseExchange(Warp& warp) {
    bool released = false;
    for (unsigned waiting = warp.exchanging; waiting != 0; waiting &= waiting - 1) {
        const auto lane = static_cast<unsigned>(std::countr_zero(waiting));
        if ((warp.exchanging >> lane & 1u) == 0 || !isComplete(warp, lane)) continue;
        finishExchange(warp, m_thread[warp.first + lane].mask);
        released = true;
    }
    return released;
}

bool Machine::isComplete(const Warp& warp, unsigned lane) const {
    const Thread& thread = m_thread[warp.first + lane];
    if ((thread.mask & ~warp.exchanging) != 0) return false;
    for (unsigned mask = thread.mask; mask != 0; mask &= mask - 1) {
        const Thread& other = m_thread[warp.first + static_cast<unsigned>(std::countr_zero(mask))];
        if (other.mask != thread.mask || other.bytes != thread.bytes ||
            !same(other.where, thread.where))
            return false;
    }
    return true;
}

void Machine::finishExchange(Warp& warp, unsigned mask) {
    auto unused = std::find_if(warp.snapshots.begin(), warp.snapshots.end(),
                               [](const auto& snapshot) { return snapshot->users == 0; });
    if (unused == warp.snapshots.end())
        unused = warp.snapshots.insert(unused, std::make_unique<Snapshot>());
    Snapshot& snapshot = **unused;
    const std::size_t bytes =
        m_thread[warp.first + static_cast<unsigned>(std::countr_zero(mask))].bytes;
    snapshot.values.assign(kLanes * bytes, std::byte{0xff});
    snapshot.users = mask;
    // A deposited value may lie in an earlier snapshot, which is free only after this.
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
        const auto lane = static_cast<unsigned>(std::countr_zero(rest));
        copyValue(snapshot.values.data() + lane * bytes, m_thread[warp.first + lane].value, bytes);
    }
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
        const auto lane = static_cast<unsigned>(std::countr_zero(rest));
        Thread& thread = m_thread[warp.first + lane];
        if (thread.snapshot != nullptr) thread.snapshot->users &= ~(1u << lane);
        thread.snapshot = &snapshot;
        warp.ready |= 1u << warp.placeOf[lane];
    }
    warp.exchanging &= ~mask;
}

void Machine::reportDivergence(const Warp& warp) {
    const auto lane = static_cast<unsigned>(std::countr_zero(warp.exchanging));
    const Thread& thread = m_thread[warp.first + lane];
    unsigned culprit = lane;
    for (unsigned mask = thread.mask; mask != 0; mask &= mask - 1) {
        culprit = static_cast<unsigned>(std::countr_zero(mask));
        const Thread& other = m_thread[warp.first + culprit];
        if ((warp.exchanging >> culprit & 1u) == 0 || other.mask != thread.mask ||
            other.bytes != thread.bytes || !same(other.where, thread.where))
            break;
    }
    report(warp.first + lane, "divergent warp operation: waits at " + text(thread.where) +
                                  " for lanes " + maskText(thread.mask) + ", but lane " +
                                  std::to_string(culprit) + " " + describeLane(warp, culprit));
}

std::string Machine::describeLane(const Warp& warp, unsigned lane) const {
    const Thread& thread = m_thread[warp.first + lane];
    if ((warp.lanes >> lane & 1u) == 0) return "does not exist";
    if ((warp.left >> lane & 1u) != 0) return "has left the kernel";
    if ((warp.atBarrier >> lane & 1u) != 0) return "waits at __syncthreads, " + text(thread.where);
    return "waits at " + text(thread.where) + " for lanes " + maskText(thread.mask);
}

bool Machine::releaseBarrier() {
    unsigned waiting = 0;
    unsigned left = 0;
    for (const Warp& warp : m_warps) {
        waiting += static_cast<unsigned>(std::popcount(warp.atBarrier));
        left += static_cast<unsigned>(std::popcount(warp.left));
    }
    if (waiting == 0) {
        if (left != 0) endBlock();
        return false;
    }
    if (!barrierIsWhole(waiting, left)) return false;
    for (Warp& warp : m_warps) {
        for (unsigned rest = warp.atBarrier; rest != 0; rest &= rest - 1)
            warp.ready |= 1u << warp.placeOf[static_cast<std::size_t>(std::countr_zero(rest))];
        warp.atBarrier = 0;
    }
    m_turn = 0;
    return true;
}

bool Machine::barrierIsWhole(unsigned waiting, unsigned left) {
    const Thread* first = nullptr;
    for (const Warp& warp : m_warps) {
        for (unsigned rest = warp.atBarrier; rest != 0; rest &= rest - 1) {
            const unsigned index = warp.first + static_cast<unsigned>(std::countr_zero(rest));
            const Thread& thread = m_thread[index];
            if (first == nullptr) first = &thread;
            if (same(first->where, thread.where)) continue;
            report(index, "__syncthreads not reached by every thread: waits at " +
                              text(thread.where) + ", thread " + text(first->index) + " at " +
                              text(first->where));
            return false;
        }
    }
    if (left == 0 || options().exitedThreadsSkipBarriers) return true;
    report(static_cast<unsigned>(first - m_thread.data()),
           "__syncthreads not reached by every thread: " + std::to_string(waiting) + " wait at " +
               text(first->where) + ", " + std::to_string(left) + " have left the kernel");
    return false;
}

void Machine::endBlock() {
    for (Warp& warp : m_warps) warp.left = 0;
    if (!canaryIsIntact(m_shared.get() + m_sharedBytes))
        report(kNone, "wrote past the end of its " + std::to_string(m_sharedBytes) +
                          " bytes of dynamic shared memory");
}

void Machine::select(unsigned thread) {
    m_current = thread;
    threadIdx = m_thread[thread].index;
}

/// Runs on every fiber: one thread after the other, until another fiber has to go on.
void Machine::fiberEntry() {
    instance().runThreads();
}

void Machine::runThreads() {
    for (;;) {
        try {
            m_launch->thread();
        } catch (const std::exception& e) {
            report(m_current, std::string("exception: ") + e.what());
        }
        warpOf(m_current).left |= 1u << laneIndex();
        const unsigned next = pickNext();
        if (next != kNone) {
            select(next);
            if (m_thread[next].fiber == nullptr) continue;
        }
        m_idle.push_back(m_running);
        goTo(next == kNone ? m_host : *m_thread[next].fiber);
    }
}

/// The running thread, which has said what it waits for, comes back from here when it may go on.
void Machine::waitForTurn() {
    const unsigned self = m_current;
    m_thread[self].fiber = m_running;
    const unsigned next = pickNext();
    if (next == kNone) leave();
    select(next);
    if (next == self) return;
    goTo(m_thread[next].fiber != nullptr ? *m_thread[next].fiber : idleFiber());
}

void Machine::goTo(Fiber& fiber) {
    Fiber& from = *m_running;
    m_running = &fiber;
    ++m_switches;
    fiber.resumeFrom(from);
}

Fiber& Machine::idleFiber() {
    if (m_idle.empty()) {
        m_fibers.push_back(std::make_unique<Fiber>(fiberEntry));
        m_idle.push_back(m_fibers.back().get());
    }
    Fiber& fiber = *m_idle.back();
    m_idle.pop_back();
    return fiber;
}

/// After an error fibers stand in the middle of kernels.
void Machine::abandon() {
    m_idle.clear();
    for (const auto& fiber : m_fibers) {
        fiber->restart();
        m_idle.push_back(fiber.get());
    }
}

const void* Machine::exchange(unsigned mask, const void* value, std::size_t bytes,
                              std::source_location where) {
    const unsigned lane = laneIndex();
    if ((mask >> lane & 1u) == 0) {
        report(m_current, "divergent warp operation: the mask " + maskText(mask) + " at " +
                              text(where) + " does not name the thread's own lane");
        leave();
    }
    Thread& thread = m_thread[m_current];
    thread.where = where;
    thread.mask = mask;
    thread.value = value;
    thread.bytes = bytes;
    warpOf(m_current).exchanging |= 1u << lane;
    waitForTurn();
    return thread.snapshot->values.data();
}

void Machine::blockBarrier(std::source_location where) {
    m_thread[m_current].where = where;
    warpOf(m_current).atBarrier |= 1u << laneIndex();
    waitForTurn();
}

void Machine::trap() {
    report(m_current, "__trap");
    leave();
}

/// Never comes back: after an error the fiber is restarted. Nothing may be left to destroy.
void Machine::leave() {
    goTo(m_host);
    std::abort();
}

void Machine::report(unsigned thread, const std::string& cause) {
    if (!m_error.empty()) return;
    m_error = describeThread(thread) + ": " + cause;
}

std::string Machine::describeThread(unsigned thread) const {
    std::string result = std::string("kernel '") + m_launch->name + "', block " + text(blockIdx);
    if (thread != kNone) result += ", thread " + text(m_thread[thread].index);
    return result;
}

}  // namespace detail

}  // namespace simt
