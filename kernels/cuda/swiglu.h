// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gpu.h"

namespace gatescope::cuda {

/// silu(gate) * up. The exponent is kept negative, so that nothing overflows on the way.
GPU_FUNCTION float swiglu(float gate, float up) {
    const float e = expf(-fabsf(gate));
    const float sigmoid = (gate >= 0 ? 1.0f : e) / (1.0f + e);
    return gate * sigmoid * up;
}

}  // namespace gatescope::cuda
