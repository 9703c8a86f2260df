// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

namespace gatescope {

/// Float32 activations [rows, cols] in a device's memory; `stride` values from row to row.
template <typename T>
struct BasicMatrix {
    T* data = nullptr;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t stride = 0;

    BasicMatrix() = default;
    constexpr BasicMatrix(T* d, std::int64_t r, std::int64_t c) : BasicMatrix(d, r, c, c) {}
    constexpr BasicMatrix(T* d, std::int64_t r, std::int64_t c, std::int64_t s)
        : data(d), rows(r), cols(c), stride(s) {}
    template <typename U>
    requires(!std::is_same_v<T, U> &&
             std::is_convertible_v<U*, T*>) constexpr BasicMatrix(const BasicMatrix<U>& other)
        : BasicMatrix(other.data, other.rows, other.cols, other.stride) {}

    constexpr T* row(std::int64_t r) const { return data + r * stride; }
    /// Rows [first, first + count).
    constexpr BasicMatrix slice(std::int64_t first, std::int64_t count) const {
        return {row(first), count, cols, stride};
    }
    /// Columns [first, first + count) of every row.
    constexpr BasicMatrix columns(std::int64_t first, std::int64_t count) const {
        return {data + first, rows, count, stride};
    }
};

using Matrix = BasicMatrix<float>;
using ConstMatrix = BasicMatrix<const float>;

}  // namespace gatescope
