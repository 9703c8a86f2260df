// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/flash_attention.h"

// Expanded attention for prefill: the keys [k_nope ; k_pe] and values of a stretch of the context
// are expanded from the latent rows for all heads and consumed at once by all queries, so neither
// the expanded cache nor a T x T matrix exists. In float32 the absorbed form does the work: it
// needs no expansion, and a token's result is the same bits whichever pass computes it.

namespace gatescope::cuda {

namespace {

constexpr std::int64_t kExpandedBytes = std::int64_t{256} << 20;
constexpr std::int64_t kHalf = sizeof(std::uint16_t);

// Positions expanded at a time: as many as the memory takes. A context that grows makes the buffer
// grow by doubling, because each time recorded steps become stale.
std::int64_t stretchPositions(const AttentionShape& shape, std::int64_t context) {
    constexpr std::uint64_t kLeast = 1024;
    const std::int64_t bytes = shape.heads * (shape.nopeDim + shape.valueDim) * kHalf;
    const auto fitting = static_cast<std::uint64_t>(kExpandedBytes / bytes);
    const auto wanted = std::bit_ceil(static_cast<std::uint64_t>(context));
    return static_cast<std::int64_t>(std::max(kLeast, std::min(std::bit_floor(fitting), wanted)));
}

}  // namespace

void CudaDevice::expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                   LatentCacheView cache, const StepPosition& position,
                                   const AttentionShape& shape) {
    if (q.rows == 0) return;
    const std::int64_t context = position.first + q.rows;
    if (!isFast() || !fitsFlashAttention(shape, m_sharedBytesPerBlock)) {
        const StepPosition here{position.first, position.onDevice, context};
        return absorbedAttention(out, q, kvB, cache, here, shape);
    }

    ExpandedBuffers buffers{.positions = stretchPositions(shape, context)};
    const std::int64_t rowsSize = buffers.positions * shape.latentWidth();
    const std::int64_t kvSize = buffers.positions * shape.heads * (shape.nopeDim + shape.valueDim);
    buffers.rows =
        scratch<std::uint16_t>(Scratch::ExpandedKv, rowsSize + kvSize + halfWeightSize(kvB));
    buffers.kv = buffers.rows + rowsSize;
    if (context > buffers.positions)
        buffers.state = scratch<float2>(Scratch::AttentionState, q.rows * shape.heads);
    const HalfWeight weight = halfWeight(kvB, buffers.kv + kvSize, m_stream);
    flashAttention(out, q, weight, cache, position.first, shape, buffers, m_sharedBytesPerBlock,
                   m_stream);
}

}  // namespace gatescope::cuda
