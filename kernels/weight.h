// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace gatescope {

/// A typed weight matrix [rows = out, cols = in], row-major, in a device's memory. Not owning. For
/// the CPU it lies in the mapped file, at any alignment and without gaps between rows; a GPU device
/// begins every row at a multiple of 16 bytes and fills the gap with zeros.
///
/// F8E4M3 carries block scales: value = e4m3(data[r][c]) * scales[r / blockRows][c / blockCols],
/// scales F32 [ceil(rows / blockRows), ceil(cols / blockCols)].
struct Weight {
    DType dtype = DType::F32;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    const void* data = nullptr;
    const float* scales = nullptr;
    int blockRows = 128;
    int blockCols = 128;
    std::int64_t rowStride = 0;  ///< elements from row to row; 0: cols

    constexpr bool empty() const { return data == nullptr; }
    constexpr std::int64_t stride() const { return rowStride ? rowStride : cols; }
    constexpr std::int64_t scaleCols() const { return (cols + blockCols - 1) / blockCols; }
};

}  // namespace gatescope
