// SPDX-License-Identifier: Apache-2.0
#include "tests/simt/fiber.h"

#include <sys/mman.h>

#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace simt::detail {

namespace {

#ifdef __SANITIZE_ADDRESS__
// Red zones make frames several times larger.
constexpr std::size_t kStackBytes = std::size_t{256} << 10;
#else
constexpr std::size_t kStackBytes = std::size_t{64} << 10;
#endif
// More than a page: a large frame would step over that.
constexpr std::size_t kGuardBytes = std::size_t{64} << 10;

struct Jump {
    Fiber* from;
    Fiber* to;
};

}  // namespace

using boost::context::detail::transfer_t;

Fiber::Fiber(Entry entry) : m_entry(entry) {
    void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    m_memory = static_cast<std::byte*>(memory);
    mprotect(m_memory, kGuardBytes, PROT_NONE);
    m_stackBottom = m_memory + kGuardBytes;
    m_stackBytes = kStackBytes;
    restart();
}

Fiber::~Fiber() {
    if (m_memory != nullptr) munmap(m_memory, kGuardBytes + kStackBytes);
}

void Fiber::restart() {
#ifdef __SANITIZE_ADDRESS__
    // Frames that were never left have red zones on the stack.
    __asan_unpoison_memory_region(m_stackBottom, m_stackBytes);
#endif
    m_fakeStack = nullptr;
    std::byte* top = m_memory + kGuardBytes + kStackBytes;
    m_context = boost::context::detail::make_fcontext(top, kStackBytes, begin);
}

void Fiber::resumeFrom(Fiber& from) {
    Jump jump{&from, this};
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from.m_fakeStack, m_stackBottom, m_stackBytes);
#endif
    arrive(boost::context::detail::jump_fcontext(m_context, &jump));
}

void Fiber::arrive(transfer_t arrival) {
    const Jump jump = *static_cast<Jump*>(arrival.data);
    jump.from->m_context = arrival.fctx;
#ifdef __SANITIZE_ADDRESS__
    // The host thread's stack is not known before somebody has left it.
    const void* bottom = nullptr;
    std::size_t bytes = 0;
    __sanitizer_finish_switch_fiber(jump.to->m_fakeStack, &bottom, &bytes);
    jump.from->m_stackBottom = bottom;
    jump.from->m_stackBytes = bytes;
#endif
}

void Fiber::begin(transfer_t arrival) {
    const Entry entry = static_cast<Jump*>(arrival.data)->to->m_entry;
    arrive(arrival);
    entry();
}

}  // namespace simt::detail
