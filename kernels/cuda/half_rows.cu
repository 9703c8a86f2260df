// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/half_rows.h"

#include "kernels/cuda/convert.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/quads.h"

namespace gatescope::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 8;  // 16 bytes of BF16

__global__ void toHalfKernel(std::uint16_t* out, std::int64_t stride, ConstMatrix in) {
    const auto perRow = stride / kPerThread;
    const auto i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (i >= in.rows * perRow) return;
    const auto row = i / perRow;
    const auto column = (i - row * perRow) * kPerThread;
    const float4 a = loadQuad(in.row(row), column, in.cols);
    const float4 b = loadQuad(in.row(row), column + kQuad, in.cols);
    *reinterpret_cast<uint4*>(out + row * stride + column) = make_uint4(
        toBf16Pair(a.x, a.y), toBf16Pair(a.z, a.w), toBf16Pair(b.x, b.y), toBf16Pair(b.z, b.w));
}

}  // namespace

HalfRows toHalfRows(std::uint16_t* memory, ConstMatrix in, cudaStream_t stream) {
    const auto stride = halfStride(in.cols);
    const auto threads = in.rows * (stride / kPerThread);
    launch("conversion to BF16", toHalfKernel, Grid{blocksFor(threads, kThreads), kThreads}, stream,
           memory, stride, in);
    return {memory, in.rows, in.cols, stride};
}

}  // namespace gatescope::cuda
