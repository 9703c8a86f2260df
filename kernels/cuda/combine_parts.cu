// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/cuda/latent_attention.h"

namespace gatescope::cuda {

namespace {

constexpr unsigned kThreads = 128;

GPU_FUNCTION float largestOf(const float2* stats, int parts) {
    float largest = -INFINITY;
    for (int i = 0; i < parts; ++i) largest = fmaxf(largest, stats[i].x);
    return largest;
}

// One thread for each quad of columns; the blocks of one x work on one row (head, query).
__global__ void combinePartsKernel(float* latent, PartialAttention partial, int latentDim) {
    const std::int64_t row = blockIdx.x;
    const int column = 4 * static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
    if (column >= partial.pitch) return;
    const auto& c = partial.parts;
    const std::int64_t context = c.divided(row / c.heads);
    const std::int64_t length = c.length(context);
    const auto parts = static_cast<int>((context + length - 1) / length);
    const float2* stats = partial.stats + partial.index(row, 0);
    const float largest = largestOf(stats, parts);

    float total = 0;
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 4
    for (int i = 0; i < parts; ++i) {
        const float4 part = *reinterpret_cast<const float4*>(partial.sum(row, i) + column);
        const float weight = expf(stats[i].x - largest);
        total = fmaf(weight, stats[i].y, total);
        sum = make_float4(fmaf(weight, part.x, sum.x), fmaf(weight, part.y, sum.y),
                          fmaf(weight, part.z, sum.z), fmaf(weight, part.w, sum.w));
    }
    // The columns that only fill a row up are not part of the result, whatever stands there.
    const float factor = 1.0f / total;
    *reinterpret_cast<float4*>(latent + row * partial.pitch + column) = make_float4(
        column < latentDim ? sum.x * factor : 0.0f, column + 1 < latentDim ? sum.y * factor : 0.0f,
        column + 2 < latentDim ? sum.z * factor : 0.0f,
        column + 3 < latentDim ? sum.w * factor : 0.0f);
}

}  // namespace

void combineParts(float* latent, const PartialAttention& partial, const AttentionShape& shape,
                  cudaStream_t stream) {
    const std::int64_t rows = partial.parts.tokens * partial.parts.heads;
    const Grid grid{{static_cast<unsigned>(rows), blocksFor(partial.pitch, 4 * kThreads)},
                    kThreads};
    launch("combine attention", combinePartsKernel, grid, stream, latent, partial,
           static_cast<int>(shape.latentDim));
}

}  // namespace gatescope::cuda
