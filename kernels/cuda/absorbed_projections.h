// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gpu.h"
#include "kernels/device.h"

// The two products with kv_b that absorbed attention has instead of expanded keys and values. With
// kv_b of head h viewed as WK_h [dn, r] and WV_h [dv, r]: queries go into latent space before the
// attention, its result comes back after it. Both sum in float32, in an order that depends on the
// shape alone.

namespace gatescope::cuda {

/// out[t][h] = [WK_h^T q_nope ; q_pe]; out [T, H, latentDim + ropeDim], q [T, H (dn + dr)].
void absorbQueries(float* out, ConstMatrix q, const Weight& kvB, const AttentionShape& shape,
                   cudaStream_t stream);
/// The same rounded to BF16.
void absorbQueries(std::uint16_t* out, ConstMatrix q, const Weight& kvB,
                   const AttentionShape& shape, cudaStream_t stream);

/// out[t][h] = WV_h latent[t][h]; out [T, H dv], latent [T H, pitch] with zeros beyond latentDim,
/// pitch a multiple of 8.
void projectValues(Matrix out, const float* latent, int pitch, const Weight& kvB,
                   const AttentionShape& shape, cudaStream_t stream);

}  // namespace gatescope::cuda
