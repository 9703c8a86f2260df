// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gatescope {

/// How a device computes. A run is always labelled with it.
enum class Precision : std::uint8_t {
    Exact,  ///< float32 throughout; a position's result does not depend on how many share its pass
    Fast,   ///< 16-bit matrix products with float32 sums; the router stays in float32
};

/// "exact", "fast".
constexpr const char* name(Precision p) {
    return p == Precision::Exact ? "exact" : "fast";
}

}  // namespace gatescope
