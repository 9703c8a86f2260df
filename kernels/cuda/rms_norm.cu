// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/rms_norm.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/kernel_arguments.h"

namespace gatescope::cuda {

namespace {

__global__ void rmsNormKernel(Matrix out, ConstMatrix in, const float* weight, float eps) {
    const float* row = in.row(blockIdx.x);
    float squares = 0;
    for (std::int64_t i = kQuad * std::int64_t{threadIdx.x}; i < in.cols; i += kQuad * blockDim.x)
        squares = squaresOf(loadQuad(row, i, in.cols), squares);
    squares = blockReduce<Sum>(squares);
    scaleRow(out.row(blockIdx.x), row, weight, in.cols, rmsFactor(squares, in.cols, eps));
}

}  // namespace

void CudaDevice::rmsNorm(Matrix out, ConstMatrix in, const float* weight, float eps) {
    launch("rms norm", rmsNormKernel, Grid{static_cast<unsigned>(out.rows), normThreads(out.cols)},
           m_stream, out, in, weight, eps);
}

}  // namespace gatescope::cuda
