// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gatescope {

/// Rotates adjacent pairs (2j, 2j + 1) of x [dim] by the angles of cosSin [dim]: cos, sin of pair
/// 0, of pair 1, ... Checkpoints of this family store rotary dimensions interleaved.
inline void rotatePairs(float* x, const float* cosSin, std::int64_t dim) {
    for (std::int64_t j = 0; j < dim; j += 2) {
        const float a = x[j];
        const float b = x[j + 1];
        x[j] = a * cosSin[j] - b * cosSin[j + 1];
        x[j + 1] = a * cosSin[j + 1] + b * cosSin[j];
    }
}

}  // namespace gatescope
