// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/quads.h"

namespace gatescope::cuda {

namespace {

constexpr unsigned kThreads = 128;

__global__ void addKernel(Matrix out, ConstMatrix in) {
    const std::int64_t i = kQuad * (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x);
    const float4 a = loadQuad(out.row(blockIdx.y), i, out.cols);
    const float4 b = loadQuad(in.row(blockIdx.y), i, out.cols);
    storeQuad(out.row(blockIdx.y), i, out.cols,
              make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w));
}

}  // namespace

void CudaDevice::add(Matrix out, ConstMatrix in) {
    launch("add", addKernel,
           Grid{{blocksFor(out.cols, kQuad * kThreads), static_cast<unsigned>(out.rows)}, kThreads},
           m_stream, out, in);
}

}  // namespace gatescope::cuda
