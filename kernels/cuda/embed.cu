// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/convert.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/kernel_arguments.h"

namespace gatescope::cuda {

namespace {

constexpr unsigned kThreads = 256;

// One thread for each column; the blocks of one y work on one token.
template <DType Type>
__global__ void embedKernel(Matrix out, Weight table, const std::int32_t* ids) {
    const std::int64_t col = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (col >= out.cols) return;
    out.row(blockIdx.y)[col] = loadWeight<Type>(table, ids[blockIdx.y], col);
}

}  // namespace

void CudaDevice::embed(Matrix out, const Weight& table, const std::int32_t* ids) {
    const Grid grid{{blocksFor(out.cols, kThreads), static_cast<unsigned>(out.rows)}, kThreads};
    forType(table.dtype, [&]<DType Type>() {
        launch("embed", embedKernel<Type>, grid, m_stream, out, table, ids);
    });
}

}  // namespace gatescope::cuda
