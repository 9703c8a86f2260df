// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/convert.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/mma.h"
#include "kernels/cuda/warp_lane.h"

// Pieces of attention kernels that work with tensor-core products: BF16 tiles in shared memory and
// the fragments of m16n8k16 products made of them. Lane l of a warp has row g = l / 4 and pair
// t = l % 4 of a fragment.

namespace gatescope::cuda {

/// Values from row to row of a tile of `columns` columns: 16 bytes more than a multiple of 128, so
/// that the 8 rows x 4 words of a fragment, in either direction, stand in 32 different banks.
constexpr int bankPitch(int columns) {
    return (columns + 63) / 64 * 64 + 8;
}

GPU_FUNCTION std::uint32_t wordAt(const std::uint16_t* p) {
    return *reinterpret_cast<const std::uint32_t*>(p);
}

/// A [16, 16] of a tile whose rows are the product's rows.
GPU_FUNCTION void loadA(std::uint32_t (&a)[4], const std::uint16_t* tile, int pitch) {
    const std::uint16_t* p = tile + laneIndex() / 4 * pitch + laneIndex() % 4 * 2;
    a[0] = wordAt(p);
    a[1] = wordAt(p + 8 * pitch);
    a[2] = wordAt(p + 8);
    a[3] = wordAt(p + 8 * pitch + 8);
}

/// B [16, 8] of a tile whose rows are the product's columns.
GPU_FUNCTION void loadB(std::uint32_t (&b)[2], const std::uint16_t* tile, int pitch) {
    const std::uint16_t* p = tile + laneIndex() / 4 * pitch + laneIndex() % 4 * 2;
    b[0] = wordAt(p);
    b[1] = wordAt(p + 8);
}

GPU_FUNCTION std::uint32_t lowHalves(std::uint32_t first, std::uint32_t second) {
    return (first & 0xffffu) | (second << 16);
}

GPU_FUNCTION std::uint32_t highHalves(std::uint32_t first, std::uint32_t second) {
    return (first >> 16) | (second & 0xffff0000u);
}

/// Two B [16, 8] of a tile [16, 16] whose rows are the product's inner index: one of the even and
/// one of the odd columns, because a word holds two neighbouring columns.
GPU_FUNCTION void loadColumnPairs(std::uint32_t (&even)[2], std::uint32_t (&odd)[2],
                                  const std::uint16_t* tile, int pitch) {
    const std::uint16_t* p = tile + laneIndex() % 4 * 2 * pitch + laneIndex() / 4 * 2;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const std::uint32_t upper = wordAt(p + i * 8 * pitch);
        const std::uint32_t lower = wordAt(p + (i * 8 + 1) * pitch);
        even[i] = lowHalves(upper, lower);
        odd[i] = highHalves(upper, lower);
    }
}

/// Columns 4 t to 4 t + 3 of 16, in row g (half 0) or g + 8 (half 1), of the products with the even
/// and the odd columns.
GPU_FUNCTION float4 columnQuad(const float (&even)[4], const float (&odd)[4], int half) {
    return make_float4(even[2 * half], odd[2 * half], even[2 * half + 1], odd[2 * half + 1]);
}

/// C [16, 8] to memory.
GPU_FUNCTION void storeC(float* to, int pitch, const float (&c)[4]) {
    float* p = to + laneIndex() / 4 * pitch + laneIndex() % 4 * 2;
    *reinterpret_cast<float2*>(p) = make_float2(c[0], c[1]);
    *reinterpret_cast<float2*>(p + 8 * pitch) = make_float2(c[2], c[3]);
}

/// Multiplies row g by `low` and row g + 8 by `high`.
GPU_FUNCTION void scaleC(float (&c)[4], float low, float high) {
    c[0] *= low;
    c[1] *= low;
    c[2] *= high;
    c[3] *= high;
}

/// Zeros in columns [width, width rounded up to a multiple of 16) of a tile's rows.
GPU_FUNCTION void clearColumns(std::uint16_t* tile, int pitch, int width, int rows) {
    const int columns = (width + 15) / 16 * 16 - width;
    for (int r = static_cast<int>(threadIdx.x); r < rows; r += static_cast<int>(blockDim.x))
        for (int c = 0; c < columns; ++c) tile[r * pitch + width + c] = 0;
}

/// Copies `rows` rows of `width` BF16 values, `stride` apart, into a tile of `tileRows` rows; zeros
/// in the rows and columns that fill it up. width and stride are multiples of 8, memory is aligned
/// to 16 bytes.
GPU_FUNCTION void copyRowsToTile(std::uint16_t* tile, int pitch, const std::uint16_t* from,
                                 std::int64_t stride, int width, int rows, int tileRows) {
    const int warps = static_cast<int>(blockDim.x) / kWarp;
    for (int r = warpIndex(); r < tileRows; r += warps)
        for (int c = 8 * laneIndex(); c < width; c += 8 * kWarp)
            *reinterpret_cast<uint4*>(tile + r * pitch + c) =
                r < rows ? *reinterpret_cast<const uint4*>(from + r * stride + c)
                         : make_uint4(0, 0, 0, 0);
    clearColumns(tile, pitch, width, tileRows);
}

}  // namespace gatescope::cuda
