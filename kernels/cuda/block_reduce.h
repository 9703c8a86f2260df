// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gpu.h"

// Reductions and scans over the lanes of a warp and the threads of a block. All of them combine in
// a fixed order that depends on the number of threads alone, and every thread gets the result. They
// must be reached by all threads of the warp or block; blocks are one-dimensional, a multiple of
// kWarp threads.

namespace gatescope::cuda {

struct Sum {
    template <typename T>
    GPU_FUNCTION T operator()(T a, T b) const {
        return a + b;
    }
};

struct Max {
    template <typename T>
    GPU_FUNCTION T operator()(T a, T b) const {
        return a > b ? a : b;
    }
};

struct Min {
    template <typename T>
    GPU_FUNCTION T operator()(T a, T b) const {
        return a < b ? a : b;
    }
};

/// `op` must be commutative: then every lane computes the very same bits.
template <typename Op, typename T>
GPU_FUNCTION T warpReduce(T value, Op op = {}) {
#pragma unroll
    for (int distance = kWarp / 2; distance > 0; distance /= 2)
        value = op(value, __shfl_xor_sync(kFullMask, value, distance));
    return value;
}

template <typename Op, typename T>
GPU_FUNCTION T blockReduce(T value, Op op = {}) {
    __shared__ T partial[kWarp];
    value = warpReduce<Op>(value, op);
    const int warps = static_cast<int>(blockDim.x) / kWarp;
    if (warps == 1) return value;
    if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
    __syncthreads();
    // Reading them one by one costs less than a second round of shuffles.
    value = partial[0];
    for (int w = 1; w < warps; ++w) value = op(value, partial[w]);
    __syncthreads();  // the next call may write again
    return value;
}

/// The sum of the values of all lower threads; `total` gets the sum of all.
GPU_FUNCTION int blockExclusiveSum(int value, int& total) {
    __shared__ int partial[kWarp];
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int warps = static_cast<int>(blockDim.x) / kWarp;
    int sum = value;
#pragma unroll
    for (int distance = 1; distance < kWarp; distance *= 2) {
        const int lower = __shfl_up_sync(kFullMask, sum, distance);
        if (lane >= distance) sum += lower;
    }
    if (lane == kWarp - 1) partial[warp] = sum;
    __syncthreads();
    int before = 0;
    total = 0;
    for (int w = 0; w < warps; ++w) {
        if (w == warp) before = total;
        total += partial[w];
    }
    __syncthreads();
    return before + sum - value;
}

}  // namespace gatescope::cuda
