// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gpu.h"

#ifndef __CUDACC__
#include <cstring>
#endif

// Copies from global to shared memory that run beside the arithmetic. Both addresses are multiples
// of 16 bytes. A thread's copies are collected into groups by commitCopies(); after
// waitForCopies<N>() and a barrier everything but the newest N groups can be read by the whole
// block.

namespace gatescope::cuda {

/// 16 bytes; zeros where `valid` is false (`global` is not read, but has to be a valid address).
GPU_FUNCTION void copyAsync(void* shared, const void* global, bool valid = true) {
#ifdef __CUDACC__
    const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global),
                 "r"(valid ? 16 : 0)
                 : "memory");
#else
    if (valid)
        std::memcpy(shared, global, 16);
    else
        std::memset(shared, 0, 16);
#endif
}

GPU_FUNCTION void commitCopies() {
#ifdef __CUDACC__
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int Newest>
GPU_FUNCTION void waitForCopies() {
#ifdef __CUDACC__
    asm volatile("cp.async.wait_group %0;" ::"n"(Newest) : "memory");
#endif
}

}  // namespace gatescope::cuda
