// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gpu.h"

namespace gatescope::cuda {

/// Of one-dimensional blocks.
GPU_FUNCTION int warpIndex() {
    return static_cast<int>(threadIdx.x) / kWarp;
}

GPU_FUNCTION int laneIndex() {
    return static_cast<int>(threadIdx.x) % kWarp;
}

}  // namespace gatescope::cuda
