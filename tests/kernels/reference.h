// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/weight.h"

namespace gatescope::test {

/// A random typed weight, its bytes `offset` bytes away from any alignment, and what its elements
/// are worth in float64 by the definitions of kernels/dtype.h.
struct ReferenceWeight {
    std::vector<std::byte> storage;
    std::vector<float> scales;
    std::vector<double> values;  ///< [rows, cols]
    Weight weight;
};

inline std::vector<float> randomFloats(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(n);
    for (auto& v : values) v = normal(random);
    return values;
}

inline ReferenceWeight randomWeight(DType dtype, std::int64_t rows, std::int64_t cols,
                                    unsigned seed, std::size_t offset = 0, int block = 128) {
    const auto count = static_cast<std::size_t>(rows * cols);
    ReferenceWeight r;
    r.storage.resize(count * elementSize(dtype) + offset + 1);
    r.values.resize(count);
    r.weight = {.dtype = dtype,
                .rows = rows,
                .cols = cols,
                .data = r.storage.data() + offset,
                .blockRows = block,
                .blockCols = block};
    std::mt19937 random(seed);
    if (dtype == DType::F8E4M3) {
        const auto scaleRows = (rows + block - 1) / block;
        r.scales.resize(static_cast<std::size_t>(scaleRows * r.weight.scaleCols()));
        for (auto& s : r.scales) s = 0.01f + 0.001f * static_cast<float>(random() % 100);
        r.weight.scales = r.scales.data();
    }
    const auto floats = randomFloats(count, seed + 1);
    for (std::size_t i = 0; i < count; ++i) {
        std::byte* at = r.storage.data() + offset + i * elementSize(dtype);
        double value = 0;
        if (dtype == DType::F32) {
            std::memcpy(at, &floats[i], 4);
            value = floats[i];
        } else if (dtype == DType::BF16) {
            const auto bits = floatToBf16(floats[i]);
            std::memcpy(at, &bits, 2);
            value = bf16ToFloat(bits);
        } else if (dtype == DType::F16) {
            auto bits = static_cast<std::uint16_t>(random() & 0xBFFF);  // finite, below 2
            std::memcpy(at, &bits, 2);
            value = f16ToFloat(bits);
        } else {
            auto bits = static_cast<std::uint8_t>(random());
            if ((bits & 0x7F) == 0x7F) bits = 0;
            std::memcpy(at, &bits, 1);
            const auto row = static_cast<std::int64_t>(i) / cols;
            const auto col = static_cast<std::int64_t>(i) % cols;
            const auto scale = r.scales[static_cast<std::size_t>(
                row / block * r.weight.scaleCols() + col / block)];
            value = static_cast<double>(f8e4m3ToFloat(bits)) * scale;
        }
        r.values[i] = value;
    }
    return r;
}

}  // namespace gatescope::test
