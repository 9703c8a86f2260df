// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/simd.h"

namespace gatescope {

/// out[t * outStride + r] = dot(row (firstRow + r) of weight, xs[t]) for r < rows and t < tokens,
/// cut into tiles. The rows of a tile stay in the cache while the tokens pass.
inline void dotRows(const Weight& weight, std::int64_t firstRow, std::int64_t rows,
                    const float* const* xs, std::int64_t tokens, float* out,
                    std::int64_t outStride) {
    for (std::int64_t r = 0; r < rows; r += simd::kMaxTileRows) {
        const auto tileRows =
            static_cast<int>(std::min<std::int64_t>(simd::kMaxTileRows, rows - r));
        for (std::int64_t t = 0; t < tokens; t += simd::kMaxTileTokens) {
            const auto tileTokens =
                static_cast<int>(std::min<std::int64_t>(simd::kMaxTileTokens, tokens - t));
            simd::dotTile(weight, firstRow + r, tileRows, xs + t, tileTokens,
                          out + t * outStride + r, outStride);
        }
    }
}

}  // namespace gatescope
