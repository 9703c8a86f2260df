// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every kernel source includes. nvcc compiles the sources for GPUs; g++ compiles the same
// sources against the headers of tests/simt, which run kernels on the CPU. Nothing outside this
// file, convert.h, mma.h and async_copy.h may ask which of the two it is.

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/check.h"

#ifndef __CUDACC__
#include <simt/launch.h>
#endif

namespace gatescope::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kFullMask = 0xffffffffu;

/// Blocks, threads of a block, bytes of dynamic shared memory.
struct Grid {
    dim3 blocks;
    dim3 threads;
    std::size_t sharedBytes = 0;
};

constexpr unsigned blocksFor(std::int64_t items, std::int64_t perBlock) {
    return static_cast<unsigned>((items + perBlock - 1) / perBlock);
}

#ifdef __CUDACC__

/// Declares `T* name`, the block's dynamic shared memory, aligned to 16 bytes.
#define GPU_DYN_SHARED(T, name)                                   \
    extern __shared__ __align__(16) unsigned char gpuDynShared[]; \
    T* name = reinterpret_cast<T*>(gpuDynShared)

/// Starts a kernel; throws DeviceError naming `name`. More than 48 KiB of dynamic shared memory is
/// asked for here, once for each kernel and size.
template <typename... Params, typename... Args>
void launch(const char* name, void (*kernel)(Params...), const Grid& grid, cudaStream_t stream,
            Args... args) {
    if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
    if (grid.sharedBytes > 48 * 1024)
        check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                   cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(grid.sharedBytes)),
              name);
    kernel<<<grid.blocks, grid.threads, grid.sharedBytes, stream>>>(Params(args)...);
    check(cudaGetLastError(), name);
}

#else

#define GPU_DYN_SHARED(T, name) T* name = reinterpret_cast<T*>(::simt::dynamicSharedMemory())

template <typename... Params, typename... Args>
void launch(const char* name, void (*kernel)(Params...), const Grid& grid, cudaStream_t stream,
            Args... args) {
    if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
    check(::simt::launch(name, kernel, grid.blocks, grid.threads, grid.sharedBytes, stream,
                         Params(args)...),
          name);
}

#endif

#ifdef __CUDACC__
#define GPU_FUNCTION __device__ __forceinline__
#else
#define GPU_FUNCTION inline
#endif

}  // namespace gatescope::cuda
