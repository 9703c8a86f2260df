// SPDX-License-Identifier: Apache-2.0
#pragma once

// Qualifiers, coordinates and barriers of the kernel language. One kernel runs at a time, so what
// belongs to the running thread are plain variables; the shim sets them whenever it turns to
// another thread.

#include <simt/vector_types.h>

#include <source_location>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
/// The blocks run one after the other, so the memory of one serves all.
#define __shared__ static

extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
inline constexpr int warpSize = 32;

namespace simt {

/// The block's dynamic shared memory: exactly the size asked for, 16-byte aligned, NaN before
/// every block.
void* dynamicSharedMemory();

namespace detail {
void blockBarrier(std::source_location where);
[[noreturn]] void trap();
}  // namespace detail

}  // namespace simt

/// Has to be reached at the same place by every thread of the block.
inline void __syncthreads(std::source_location where = std::source_location::current()) {
    simt::detail::blockBarrier(where);
}

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

[[noreturn]] inline void __trap() {
    simt::detail::trap();
}
