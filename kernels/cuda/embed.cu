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

template <DType Type>
void embedAs(Matrix out, const Weight& table, const std::int32_t* ids, cudaStream_t stream) {
    launch("embed", embedKernel<Type>,
           Grid{{blocksFor(out.cols, kThreads), static_cast<unsigned>(out.rows)}, kThreads}, stream,
           out, table, ids);
}

}  // namespace

void CudaDevice::embed(Matrix out, const Weight& table, const std::int32_t* ids) {
    switch (table.dtype) {
        case DType::F32:
            return embedAs<DType::F32>(out, table, ids, m_stream);
        case DType::BF16:
            return embedAs<DType::BF16>(out, table, ids, m_stream);
        case DType::F16:
            return embedAs<DType::F16>(out, table, ids, m_stream);
        case DType::F8E4M3:
            return embedAs<DType::F8E4M3>(out, table, ids, m_stream);
    }
}

}  // namespace gatescope::cuda
