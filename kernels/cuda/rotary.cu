// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/kernel_arguments.h"

namespace gatescope::cuda {

namespace {

constexpr unsigned kThreads = 128;

// One thread for each pair of each head; the blocks of one y work on one token.
__global__ void rotaryKernel(Matrix q, AttentionShape shape, const float* cosSin) {
    const std::int64_t pairs = shape.ropeDim / 2;
    const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= pairs * shape.heads) return;
    const std::int64_t head = i / pairs;
    const std::int64_t j = i % pairs * 2;
    const std::int64_t t = blockIdx.y;
    float* x = q.row(t) + head * (shape.nopeDim + shape.ropeDim) + shape.nopeDim + j;
    const float c = cosSin[t * shape.ropeDim + j];
    const float s = cosSin[t * shape.ropeDim + j + 1];
    const float a = x[0];
    const float b = x[1];
    x[0] = fmaf(a, c, -(b * s));
    x[1] = fmaf(a, s, b * c);
}

}  // namespace

void CudaDevice::rotary(Matrix q, const AttentionShape& shape, const float* cosSin) {
    const std::int64_t pairs = shape.heads * (shape.ropeDim / 2);
    launch("rotary", rotaryKernel,
           Grid{{blocksFor(pairs, kThreads), static_cast<unsigned>(q.rows)}, kThreads}, m_stream, q,
           shape, cosSin);
}

}  // namespace gatescope::cuda
