// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/rms_norm.h"

namespace gatescope::cuda {

namespace {

__global__ void addRmsNormKernel(Matrix out, Matrix x, ConstMatrix block, const float* weight,
                                 float eps) {
    float* row = x.row(blockIdx.x);
    const float* addend = block.row(blockIdx.x);
    float squares = 0;
    for (std::int64_t i = kQuad * std::int64_t{threadIdx.x}; i < x.cols; i += kQuad * blockDim.x) {
        const float4 a = loadQuad(row, i, x.cols);
        const float4 b = loadQuad(addend, i, x.cols);
        const float4 sum = make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
        storeQuad(row, i, x.cols, sum);
        squares = squaresOf(sum, squares);
    }
    squares = blockReduce<Sum>(squares);
    scaleRow(out.row(blockIdx.x), row, weight, x.cols, rmsFactor(squares, x.cols, eps));
}

}  // namespace

void CudaDevice::addRmsNorm(Matrix out, Matrix x, ConstMatrix block, const float* weight,
                            float eps) {
    launch("add and rms norm", addRmsNormKernel,
           Grid{static_cast<unsigned>(x.rows), normThreads(x.cols)}, m_stream, out, x, block,
           weight, eps);
}

}  // namespace gatescope::cuda
