// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/blas.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dot_rows.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/half_rows.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/mma_matmul.h"

namespace gatescope::cuda {

namespace {

template <DType Type, int Tokens>
__global__ void __launch_bounds__(kDotThreads, Tokens <= 4 ? 2 : 1)
    matmulKernel(Matrix out, ConstMatrix in, Weight weight, int parts) {
    const DotPlace<Tokens> place(in.rows, parts);
    const float part =
        dotRows<Type, Tokens>(weight, place.firstRow, place.input(in), place.part, parts);
    const float sum = sumOverParts(part, parts);
    const DotLane<Tokens> lane;
    const auto row = place.firstRow + lane.row;
    const auto token = place.firstToken + lane.token;
    if (place.part == 0 && lane.first && row < weight.rows && token < in.rows)
        out.row(token)[row] = sum;
}

void dotMatmul(Matrix out, ConstMatrix in, const Weight& weight, cudaStream_t stream) {
    const int parts = dotParts(weight);
    forType(weight.dtype, [&]<DType Type>() {
        forDotTokens(in.rows, [&]<int Tokens>() {
            launch("matmul", matmulKernel<Type, Tokens>,
                   Grid{dotBlocks(in.rows, Tokens, weight.rows, parts), kDotThreads}, stream, out,
                   in, weight, parts);
        });
    });
}

}  // namespace

void CudaDevice::routerMatmul(Matrix out, ConstMatrix in, const Weight& weight) {
    if (in.rows > 0) dotMatmul(out, in, weight, m_stream);
}

void CudaDevice::matmul(Matrix out, ConstMatrix in, const Weight& weight) {
    if (!isFast() || !paysTensorCores(in.rows)) return routerMatmul(out, in, weight);
    const auto half = toHalfRows(
        scratch<std::uint16_t>(Scratch::HalfInput, in.rows * halfStride(in.cols)), in, m_stream);
    if (m_blas && paysBlas(in.rows, weight)) {
        m_blas->matmulBf16(out.data, out.stride, half.data, half.stride,
                           static_cast<const std::uint16_t*>(weight.data), weight.stride(), in.rows,
                           weight.rows, weight.cols);
    } else {
        mmaMatmul(out, half, weight, m_stream);
    }
}

}  // namespace gatescope::cuda
