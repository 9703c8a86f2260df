// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cuda/gpu.h"

namespace gatescope::cuda {

/// d += a b by one warp: a BF16 [16, 16], b BF16 [16, 8], d float32 [16, 8]. With g = lane / 4 and
/// p = 2 * (lane % 4) a lane holds
///     a[0]: a[g][p], a[g][p + 1]           a[1]: a[g + 8][p], ..
///     a[2]: a[g][p + 8], a[g][p + 9]       a[3]: a[g + 8][p + 8], ..
///     b[0]: b[p][g], b[p + 1][g]           b[1]: b[p + 8][g], b[p + 9][g]
///     d[0], d[1]: d[g][p], d[g][p + 1]     d[2], d[3]: d[g + 8][p], d[g + 8][p + 1]
/// the first of a pair in the lower half.
GPU_FUNCTION void mmaBf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#ifdef __CUDACC__
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    struct Fragments {
        std::uint32_t a[4];
        std::uint32_t b[2];
    };
    const Fragments* lanes = ::simt::warpGather(Fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}});
    const auto half = [](std::uint32_t pair, int which) {
        return __uint_as_float(which ? pair & 0xFFFF0000u : pair << 16);
    };
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    for (int i = 0; i < 4; ++i) {
        const int row = lane / 4 * 4;                  // the lanes that hold rows g and g + 8
        const int col = (2 * (lane % 4) + i % 2) * 4;  // those that hold this column of b
        for (int k = 0; k < 16; ++k) {
            const int holder = k % 8 / 2;
            const float x = half(lanes[row + holder].a[i / 2 + k / 8 * 2], k % 2);
            const float y = half(lanes[col + holder].b[k / 8], k % 2);
            d[i] = fmaf(x, y, d[i]);
        }
    }
#endif
}

}  // namespace gatescope::cuda
