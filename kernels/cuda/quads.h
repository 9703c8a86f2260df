// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gpu.h"

// Rows of activations read and written four values at a time. Whether a row is aligned decides only
// how its values travel, never which thread gets which: sums keep one order for all rows.

namespace gatescope::cuda {

inline constexpr int kQuad = 4;

GPU_FUNCTION bool isQuadAligned(const float* p) {
    return reinterpret_cast<std::uintptr_t>(p) % sizeof(float4) == 0;
}

/// Values i to i + 3 of a row of n; zeros beyond its end.
GPU_FUNCTION float4 loadQuad(const float* row, std::int64_t i, std::int64_t n) {
    const float* p = row + i;
    const std::int64_t left = n - i;
    if (left >= kQuad && isQuadAligned(p)) return *reinterpret_cast<const float4*>(p);
    return make_float4(left > 0 ? p[0] : 0.0f, left > 1 ? p[1] : 0.0f, left > 2 ? p[2] : 0.0f,
                       left > 3 ? p[3] : 0.0f);
}

GPU_FUNCTION void storeQuad(float* row, std::int64_t i, std::int64_t n, float4 value) {
    float* p = row + i;
    const std::int64_t left = n - i;
    if (left >= kQuad && isQuadAligned(p)) {
        *reinterpret_cast<float4*>(p) = value;
        return;
    }
    if (left > 0) p[0] = value.x;
    if (left > 1) p[1] = value.y;
    if (left > 2) p[2] = value.z;
    if (left > 3) p[3] = value.w;
}

}  // namespace gatescope::cuda
