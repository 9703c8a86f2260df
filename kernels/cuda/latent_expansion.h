// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/gpu.h"
#include "kernels/device.h"

// Keys and values of every head from latent rows, for prefill.

namespace gatescope::cuda {

/// A weight's values as BF16, the product's second operand: [rows, cols], `stride` apart.
struct HalfWeight {
    const std::uint16_t* data = nullptr;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t stride = 0;
};

/// Values of a BF16 copy of the weight; 0 if it is BF16 itself.
std::int64_t halfWeightSize(const Weight& weight);

/// The weight itself, or its copy that is made in `memory`.
HalfWeight halfWeight(const Weight& weight, std::uint16_t* memory, cudaStream_t stream);

/// rows [count, latentDim + ropeDim] = the cache rows [begin, begin + count) in BF16. latentDim and
/// ropeDim are multiples of 8.
void gatherRows(std::uint16_t* rows, LatentCacheView cache, std::int64_t begin, std::int64_t count,
                cudaStream_t stream);

/// out[p][n] = sum_k rows[p][k] weight[n][k] with float32 sums, rounded to BF16. out [count, N]
/// without gaps, rows `stride` apart; K = weight.cols a multiple of 8, N even.
void expandRows(std::uint16_t* out, const std::uint16_t* rows, std::int64_t stride,
                std::int64_t count, const HalfWeight& weight, cudaStream_t stream);

}  // namespace gatescope::cuda
