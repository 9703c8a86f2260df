// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/cuda/half_rows.h"
#include "kernels/matrix.h"
#include "kernels/weight.h"

// Dense products on tensor cores, for Precision::Fast: BF16 factors, float32 sums. Weights of any
// type are read as they are stored.

namespace gatescope::cuda {

/// Whether so many tokens are limited by arithmetic rather than by reading the weights.
constexpr bool paysTensorCores(std::int64_t tokens) {
    return tokens > 8;
}

/// Whether cuBLAS can take a product and it is large enough to make up for the call.
constexpr bool paysBlas(std::int64_t tokens, const Weight& weight) {
    return weight.dtype == DType::BF16 && tokens * weight.rows * weight.cols >= 1 << 20;
}

/// out [T, N] = in [T, K] weight^T, weight [N, K].
void mmaMatmul(Matrix out, const HalfRows& in, const Weight& weight, cudaStream_t stream);

/// out [T, N] = silu(in gate^T) * (in up^T).
void mmaGatedMatmul(Matrix out, const HalfRows& in, const Weight& gate, const Weight& up,
                    cudaStream_t stream);

}  // namespace gatescope::cuda
