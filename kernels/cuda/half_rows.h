// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/matrix.h"

namespace gatescope::cuda {

/// Activations in BF16 [rows, cols], the input of tensor-core products. Rows are `stride` values
/// apart, a multiple of kHalfColumns, with zeros behind the last column.
struct HalfRows {
    const std::uint16_t* data = nullptr;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t stride = 0;
};
inline constexpr int kHalfColumns = 64;

template <typename Visit>
void forEachPointer(const HalfRows& h, const Visit& visit) {
    visit(h.data);
}

constexpr std::int64_t halfStride(std::int64_t cols) {
    return (cols + kHalfColumns - 1) / kHalfColumns * kHalfColumns;
}

/// Rounds `in` into `memory`, in.rows * halfStride(in.cols) values.
HalfRows toHalfRows(std::uint16_t* memory, ConstMatrix in, cudaStream_t stream);

}  // namespace gatescope::cuda
