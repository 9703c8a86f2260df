// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace gatescope {

/// The float32 class: how far a correct decoder with float32 arithmetic may lie from the golden
/// values, which were computed in float64 (measured worst: a quarter of this and less).
struct Float32Class {
    static constexpr double logitsMax = 1e-4;
    static constexpr double logitsRms = 1.2e-5;
    static constexpr double hiddenMax = 1e-4;
    static constexpr double cacheMax = 5e-5;
    static constexpr double gateMax = 1e-5;  ///< scores and gate weights
    static constexpr double meanNll = 1e-5;
};

}  // namespace gatescope
