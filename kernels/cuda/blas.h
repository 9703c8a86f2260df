// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace gatescope::cuda {

/// Large dense products. cuBLAS is looked for when the program runs: without it the device's own
/// kernels do the work.
class Blas {
  public:
    virtual ~Blas() = default;

    /// out[t][n] = sum_k in[t][k] weight[n][k] with float32 sums. in BF16 [T, K] with `inStride`
    /// elements from row to row, weight BF16 [N, K] with `weightStride`, out float32 [T, N] with
    /// `outStride`. Throws DeviceError.
    virtual void matmulBf16(float* out, std::int64_t outStride, const std::uint16_t* in,
                            std::int64_t inStride, const std::uint16_t* weight,
                            std::int64_t weightStride, std::int64_t tokens, std::int64_t rows,
                            std::int64_t cols) = 0;
};

/// Null if there is no usable cuBLAS. Everything runs in `stream`; workspace of `workspaceBytes`.
std::unique_ptr<Blas> makeBlas(cudaStream_t stream, void* workspace, std::size_t workspaceBytes);

/// One sentence if cuBLAS is not to be had, else empty.
std::string blasProblem();

}  // namespace gatescope::cuda
