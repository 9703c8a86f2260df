// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/convert.h"
#include "kernels/cuda/gpu.h"
#include "kernels/weight.h"

// Typed weights read eight values at a time.

namespace gatescope::cuda {

GPU_FUNCTION void e4m3Octet(float (&v)[8], uint2 bytes) {
    e4m3PairToFloat(bytes.x, false, v[0], v[1]);
    e4m3PairToFloat(bytes.x, true, v[2], v[3]);
    e4m3PairToFloat(bytes.y, false, v[4], v[5]);
    e4m3PairToFloat(bytes.y, true, v[6], v[7]);
}

/// Values col to col + 7 as stored, without block scales. Rows of narrow types are padded to whole
/// octets, float32 rows only to 4 values.
template <DType Type>
GPU_FUNCTION void storedOctet(float (&v)[8], const Weight& w, std::int64_t row, int col) {
    constexpr int kSize = static_cast<int>(elementSize(Type));
    const std::byte* p = rowBytes<Type>(w, row) + col * kSize;
    if constexpr (Type == DType::F32) {
        const float4 a = *reinterpret_cast<const float4*>(p);
        const float4 b =
            col + 4 < w.cols ? *reinterpret_cast<const float4*>(p + 16) : make_float4(0, 0, 0, 0);
        v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
        v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
    } else if constexpr (Type == DType::F8E4M3) {
        e4m3Octet(v, *reinterpret_cast<const uint2*>(p));
    } else {
        decodeVector<Type>(*reinterpret_cast<const uint4*>(p), v);
    }
}

/// Values col to col + 7 of a row in float32, zeros beyond the last column. col is a multiple of 8
/// and less than w.cols.
template <DType Type>
GPU_FUNCTION void weightOctet(float (&v)[8], const Weight& w, std::int64_t row, int col) {
    storedOctet<Type>(v, w, row, col);
    if constexpr (Type == DType::F8E4M3) {
        const int scaleRow = static_cast<int>(row) / w.blockRows;
        const float* scales = w.scales + scaleRow * w.scaleCols();
        if (w.blockCols % 8 == 0) {
            const float scale = scales[col / w.blockCols];
            for (float& x : v) x *= scale;
            return;
        }
        const int last = static_cast<int>(w.cols) - 1;
        for (int j = 0; j < 8; ++j) v[j] *= scales[min(col + j, last) / w.blockCols];
    }
}

}  // namespace gatescope::cuda
