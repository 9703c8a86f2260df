// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/blas.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dot_rows.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/half_rows.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/mma_matmul.h"
#include "kernels/cuda/swiglu.h"

namespace gatescope::cuda {

namespace {

template <int Tokens>
__global__ void __launch_bounds__(kDotThreads, Tokens <= 4 ? 2 : 1)
    gatedMatmulKernel(Matrix out, ConstMatrix in, Weight gate, Weight up, int parts) {
    const DotPlace<Tokens> place(in.rows, parts);
    const DotInput<Tokens> input = place.input(in);
    const float gatePart = dotRowsOfAnyType<Tokens>(gate, place.firstRow, input, place.part, parts);
    const float upPart = dotRowsOfAnyType<Tokens>(up, place.firstRow, input, place.part, parts);
    const float gateSum = sumOverParts(gatePart, parts);
    const float upSum = sumOverParts(upPart, parts);
    const DotLane<Tokens> lane;
    const auto row = place.firstRow + lane.row;
    const auto token = place.firstToken + lane.token;
    if (place.part == 0 && lane.first && row < gate.rows && token < in.rows)
        out.row(token)[row] = swiglu(gateSum, upSum);
}

__global__ void swigluKernel(Matrix out, ConstMatrix gate, ConstMatrix up) {
    const auto i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= out.rows * out.cols) return;
    const auto row = i / out.cols;
    const auto column = i - row * out.cols;
    out.row(row)[column] = swiglu(gate.row(row)[column], up.row(row)[column]);
}

void dotGatedMatmul(Matrix out, ConstMatrix in, const Weight& gate, const Weight& up,
                    cudaStream_t stream) {
    const int parts = dotParts(gate);
    forDotTokens(in.rows, [&]<int Tokens>() {
        launch("gated matmul", gatedMatmulKernel<Tokens>,
               Grid{dotBlocks(in.rows, Tokens, gate.rows, parts), kDotThreads}, stream, out, in,
               gate, up, parts);
    });
}

void blasProduct(Blas& blas, Matrix out, const HalfRows& in, const Weight& weight) {
    blas.matmulBf16(out.data, out.stride, in.data, in.stride,
                    static_cast<const std::uint16_t*>(weight.data), weight.stride(), in.rows,
                    weight.rows, weight.cols);
}

}  // namespace

void CudaDevice::gatedMatmul(Matrix out, ConstMatrix in, const Weight& gate, const Weight& up) {
    if (in.rows == 0) return;
    if (!isFast() || !paysTensorCores(in.rows)) return dotGatedMatmul(out, in, gate, up, m_stream);
    const auto half = toHalfRows(
        scratch<std::uint16_t>(Scratch::HalfInput, in.rows * halfStride(in.cols)), in, m_stream);
    if (!m_blas || !paysBlas(in.rows, gate) || !paysBlas(in.rows, up))
        return mmaGatedMatmul(out, half, gate, up, m_stream);
    const Matrix g(scratch<float>(Scratch::Gate, in.rows * gate.rows), in.rows, gate.rows);
    const Matrix u(scratch<float>(Scratch::Up, in.rows * up.rows), in.rows, up.rows);
    blasProduct(*m_blas, g, half, gate);
    blasProduct(*m_blas, u, half, up);
    constexpr int kThreads = 256;
    launch("SwiGLU", swigluKernel, Grid{blocksFor(out.rows * out.cols, kThreads), kThreads},
           m_stream, out, g, u);
}

}  // namespace gatescope::cuda
