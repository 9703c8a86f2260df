// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

namespace simt::detail {

/// A stack and a place in a function, between which one thread of the host jumps. The sanitizers
/// are told about every jump.
class Fiber {
  public:
    using Entry = void (*)();

    /// Stands for the host thread's own stack.
    Fiber() = default;
    /// Will begin with `entry`, which never returns. The lowest page of the stack is a guard: a
    /// thread that needs more stops the program.
    explicit Fiber(Entry entry);
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// Forgets where the fiber stands; it will begin anew.
    void restart();
    /// Leaves `from`, which is running, for this fiber. Returns when somebody comes back to `from`.
    void resumeFrom(Fiber& from);

  private:
    static void begin(boost::context::detail::transfer_t arrival);
    static void arrive(boost::context::detail::transfer_t arrival);

    Entry m_entry = nullptr;
    std::byte* m_memory = nullptr;
    boost::context::detail::fcontext_t m_context = nullptr;
    // What AddressSanitizer wants to know of a stack.
    void* m_fakeStack = nullptr;
    const void* m_stackBottom = nullptr;
    std::size_t m_stackBytes = 0;
};

}  // namespace simt::detail
