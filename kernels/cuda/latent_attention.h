// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/device.h"

// Attention over the latent rows, divided into parts of the context that different blocks work on.
// Each part leaves its largest score, the sum of its exponentials and its weighted sum of latent
// rows; combineParts() makes one latent vector of them.

namespace gatescope::cuda {

/// Which parts of the context there are. The context is read from device memory, so that a recorded
/// launch divides the context of the step that replays it.
struct ContextParts {
    const std::int64_t* first = nullptr;  ///< position of the pass's first query
    std::int64_t skipped = 0;             ///< queries of the pass before those of this launch
    std::int64_t tokens = 0;              ///< queries of this launch
    int heads = 0;
    int most = 0;          ///< the most parts of any context
    int room = 0;          ///< the most parts of a context that fits the step's capacity
    int shortest = 0;      ///< positions of a part, at least; parts begin at multiples of 32
    bool ofQuery = false;  ///< each query's own context is divided, not the longest of the launch

    /// Cache rows query t of this launch may see.
    GPU_FUNCTION std::int64_t visible(std::int64_t t) const { return *first + skipped + t + 1; }
    /// The context that is divided for query t.
    GPU_FUNCTION std::int64_t divided(std::int64_t t) const {
        return visible(ofQuery ? t : tokens - 1);
    }
    /// Positions of one part of such a context.
    GPU_FUNCTION std::int64_t length(std::int64_t context) const {
        constexpr std::int64_t kGranule = 32;
        const std::int64_t even = (context + most - 1) / most;
        const std::int64_t least = even > shortest ? even : shortest;
        return (least + kGranule - 1) / kGranule * kGranule;
    }
};

/// Results of the parts; row r is head r % H of query r / H.
struct PartialAttention {
    ContextParts parts;
    float* sums = nullptr;    ///< [T H, room, pitch] sum exp(score - largest) row, not normalised
    float2* stats = nullptr;  ///< [T H, room] (largest score, sum exp(score - largest))
    int pitch = 0;            ///< latentDim rounded up to a multiple of 8

    GPU_FUNCTION std::int64_t index(std::int64_t row, int part) const {
        return row * parts.room + part;
    }
    GPU_FUNCTION float* sum(std::int64_t row, int part) const {
        return sums + index(row, part) * pitch;
    }
};

template <typename Visit>
void forEachPointer(const PartialAttention& a, const Visit& visit) {
    visit(a.parts.first);
    visit(a.sums);
    visit(a.stats);
}

/// In float32, for every shape. queries [T, H, latentDim + ropeDim], absorbed. The sums' order is
/// fixed by each query's context alone if parts.ofQuery.
void floatLatentAttention(const PartialAttention& partial, const float* queries,
                          LatentCacheView cache, const AttentionShape& shape, cudaStream_t stream);

/// Tiles of 16 rows (head, query) that a block of tensorLatentAttention takes for `rows` of them; 0
/// if it cannot do that shape with `sharedBytes` of shared memory.
int tensorRowTiles(const AttentionShape& shape, const LatentLayout& layout, std::int64_t rows,
                   std::size_t sharedBytes);

/// With BF16 products and float32 sums; queries BF16.
void tensorLatentAttention(const PartialAttention& partial, const std::uint16_t* queries,
                           LatentCacheView cache, const AttentionShape& shape, int rowTiles,
                           cudaStream_t stream);

/// latent [T H, pitch]: the softmax-weighted mean of the visible rows' c_kv, zeros beyond
/// latentDim.
void combineParts(float* latent, const PartialAttention& partial, const AttentionShape& shape,
                  cudaStream_t stream);

}  // namespace gatescope::cuda
