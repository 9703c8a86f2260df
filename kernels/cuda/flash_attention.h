// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/latent_expansion.h"
#include "kernels/device.h"

namespace gatescope::cuda {

/// Memory for the expanded keys and values of a stretch of the context.
struct ExpandedBuffers {
    std::int64_t positions = 0;     ///< of a stretch, at most
    std::uint16_t* kv = nullptr;    ///< [positions, H, dn + dv]
    std::uint16_t* rows = nullptr;  ///< [positions, latentDim + dr]
    float2* state = nullptr;        ///< [T, H], for contexts of several stretches
};

/// Whether flashAttention() can do that shape with `sharedBytes` of shared memory.
bool fitsFlashAttention(const AttentionShape& shape, std::size_t sharedBytes);

/// Causal attention of q [T, H (dn + dr)] at positions [first, first + T) over the cache rows
/// [0, first + T), expanded stretch by stretch. out [T, H dv].
void flashAttention(Matrix out, ConstMatrix q, const HalfWeight& kvB, LatentCacheView cache,
                    std::int64_t first, const AttentionShape& shape, const ExpandedBuffers& buffers,
                    std::size_t sharedBytes, cudaStream_t stream);

}  // namespace gatescope::cuda
