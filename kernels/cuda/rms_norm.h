// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>

#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/quads.h"

namespace gatescope::cuda {

/// Threads that norm a row of n values, one quad or more each.
constexpr unsigned normThreads(std::int64_t n) {
    constexpr std::int64_t kMost = 1024;
    const std::int64_t quads = (n + kQuad - 1) / kQuad;
    const std::int64_t threads = (quads + kWarp - 1) / kWarp * kWarp;
    return static_cast<unsigned>(threads < kMost ? threads : kMost);
}

GPU_FUNCTION float squaresOf(float4 v, float sum) {
    return fmaf(v.w, v.w, fmaf(v.z, v.z, fmaf(v.y, v.y, fmaf(v.x, v.x, sum))));
}

/// What a row of n values with that sum of squares is multiplied by. Squares that overflow would
/// make the row silently 0; NaN reaches the logits and is reported.
GPU_FUNCTION float rmsFactor(float squares, std::int64_t n, float eps) {
    if (!(squares <= std::numeric_limits<float>::max()))
        return std::numeric_limits<float>::quiet_NaN();
    return 1.0f / sqrtf(squares / static_cast<float>(n) + eps);
}

/// out = in * factor * weight, by all threads of a block. Each thread writes what it alone reads,
/// so out may be in.
GPU_FUNCTION void scaleRow(float* out, const float* in, const float* weight, std::int64_t n,
                           float factor) {
    for (std::int64_t i = kQuad * std::int64_t{threadIdx.x}; i < n; i += kQuad * blockDim.x) {
        const float4 v = loadQuad(in, i, n);
        const float4 w = loadQuad(weight, i, n);
        storeQuad(out, i, n,
                  make_float4(v.x * factor * w.x, v.y * factor * w.y, v.z * factor * w.z,
                              v.w * factor * w.w));
    }
}

}  // namespace gatescope::cuda
