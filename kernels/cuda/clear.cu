// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/quads.h"

namespace gatescope::cuda {

namespace {

constexpr unsigned kThreads = 128;

__global__ void clearKernel(Matrix out) {
    const std::int64_t i = kQuad * (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x);
    storeQuad(out.row(blockIdx.y), i, out.cols, make_float4(0, 0, 0, 0));
}

}  // namespace

void CudaDevice::clear(Matrix out) {
    launch("clear", clearKernel,
           Grid{{blocksFor(out.cols, kQuad * kThreads), static_cast<unsigned>(out.rows)}, kThreads},
           m_stream, out);
}

}  // namespace gatescope::cuda
