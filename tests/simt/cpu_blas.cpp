// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>
#include <simt/launch.h>

#include <bit>

#include "kernels/cuda/blas.h"
#include "kernels/cuda/check.h"

// Stands in for cuBLAS where kernels run on the CPU. A kernel, so that a capture records it and its
// pointers are looked at.

namespace gatescope::cuda {

namespace {

struct Product {
    std::int64_t outStride;
    std::int64_t inStride;
    std::int64_t weightStride;
    std::int64_t rows;
    std::int64_t cols;
};

float fromBf16(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// One block for each token and up to 256 rows of the weight, one thread a row.
__global__ void productKernel(float* out, const std::uint16_t* in, const std::uint16_t* weight,
                              Product p) {
    const std::int64_t row = std::int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
    if (row >= p.rows) return;
    const std::uint16_t* x = in + blockIdx.x * p.inStride;
    const std::uint16_t* w = weight + row * p.weightStride;
    float sum = 0;
    for (std::int64_t k = 0; k < p.cols; ++k) sum += fromBf16(x[k]) * fromBf16(w[k]);
    out[blockIdx.x * p.outStride + row] = sum;
}

class CpuBlas final : public Blas {
  public:
    explicit CpuBlas(cudaStream_t stream) : m_stream(stream) {}

    void matmulBf16(float* out, std::int64_t outStride, const std::uint16_t* in,
                    std::int64_t inStride, const std::uint16_t* weight, std::int64_t weightStride,
                    std::int64_t tokens, std::int64_t rows, std::int64_t cols) override {
        if (tokens == 0 || rows == 0) return;
        const dim3 grid(static_cast<unsigned>(tokens), static_cast<unsigned>((rows + 255) / 256));
        check(simt::launch("cublas", productKernel, grid, dim3(256), 0, m_stream, out, in, weight,
                           Product{outStride, inStride, weightStride, rows, cols}),
              "cublas");
    }

  private:
    cudaStream_t m_stream;
};

}  // namespace

std::unique_ptr<Blas> makeBlas(cudaStream_t stream, void* /*workspace*/,
                               std::size_t /*workspaceBytes*/) {
    return std::make_unique<CpuBlas>(stream);
}

std::string blasProblem() {
    return {};
}

}  // namespace gatescope::cuda
