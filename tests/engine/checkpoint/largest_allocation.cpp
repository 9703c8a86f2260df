// SPDX-License-Identifier: Apache-2.0
// In a file of its own: where g++ 12 can inline these it takes malloc and free for a mismatched
// pair.
#include "tests/engine/checkpoint/largest_allocation.h"

#include <cstdlib>
#include <new>

namespace gatescope::test {

std::atomic<std::size_t> largestAllocation{0};

}  // namespace gatescope::test

namespace {

void* allocate(std::size_t size) {
    auto& largest = gatescope::test::largestAllocation;
    std::size_t seen = largest.load();
    while (size > seen && !largest.compare_exchange_weak(seen, size)) {
    }
    if (void* memory = std::malloc(size ? size : 1)) return memory;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) {
    return allocate(size);
}
void* operator new[](std::size_t size) {
    return allocate(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}
