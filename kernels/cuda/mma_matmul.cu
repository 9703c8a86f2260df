// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/mma_matmul.h"

#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/mma_tile.h"

namespace gatescope::cuda {

namespace {

// Blocks that share weights run side by side and read them from memory once.
template <int Columns>
struct TilePlace {
    GPU_FUNCTION explicit TilePlace(const HalfRows& in) {
        const auto tiles = blocksFor(in.rows, 8 * Columns);
        firstToken = static_cast<std::int64_t>(blockIdx.x % tiles) * (8 * Columns);
        firstRow = static_cast<std::int64_t>(blockIdx.x / tiles) * kMmaBlockRows;
    }
    GPU_FUNCTION TokenRing<Columns> tokens(typename TokenRing<Columns>::Memory& memory,
                                           const HalfRows& in) const {
        return TokenRing<Columns>(
            memory, [&](int i) { return in.data + min(firstToken + i, in.rows - 1) * in.stride; });
    }
    std::int64_t firstToken;
    std::int64_t firstRow;
};

template <int Columns>
GPU_FUNCTION void storeTile(const Matrix& out, const MmaSums<Columns>& sums,
                            const TilePlace<Columns>& place) {
    forEachSum<Columns>(sums, place.firstRow, [&](std::int64_t row, int i, float value) {
        const auto token = place.firstToken + i;
        if (row < out.cols && token < out.rows) out.row(token)[row] = value;
    });
}

template <DType Type, int Columns>
__global__ void __launch_bounds__(kMmaThreads, Columns <= 4 ? 3 : 2)
    mmaMatmulKernel(Matrix out, HalfRows in, Weight weight) {
    __shared__ __align__(16) typename TokenRing<Columns>::Memory memory;
    const TilePlace<Columns> place(in);
    MmaSums<Columns> sums;
    mmaTile<Type, Columns>(sums, weight, place.firstRow, place.tokens(memory, in));
    storeTile<Columns>(out, sums, place);
}

template <int Columns>
__global__ void __launch_bounds__(kMmaThreads, 2)
    mmaGatedMatmulKernel(Matrix out, HalfRows in, Weight gate, Weight up) {
    __shared__ __align__(16) typename TokenRing<Columns>::Memory memory;
    const TilePlace<Columns> place(in);
    MmaSums<Columns> sums;
    mmaGatedTile<Columns>(sums, gate, up, place.firstRow, place.tokens(memory, in));
    storeTile<Columns>(out, sums, place);
}

template <int Columns>
Grid tileGrid(const HalfRows& in, std::int64_t rows) {
    return {blocksFor(in.rows, 8 * Columns) * blocksFor(rows, kMmaBlockRows), kMmaThreads};
}

}  // namespace

void mmaMatmul(Matrix out, const HalfRows& in, const Weight& weight, cudaStream_t stream) {
    const auto start = [&]<DType Type, int Columns>() {
        launch("matmul on tensor cores", mmaMatmulKernel<Type, Columns>,
               tileGrid<Columns>(in, weight.rows), stream, out, in, weight);
    };
    forType(weight.dtype, [&]<DType Type>() {
        if (in.rows <= 32)
            start.template operator()<Type, 4>();
        else
            start.template operator()<Type, 8>();
    });
}

void mmaGatedMatmul(Matrix out, const HalfRows& in, const Weight& gate, const Weight& up,
                    cudaStream_t stream) {
    constexpr int kColumns = 4;  // two sets of sums have to fit into the registers
    launch("gated matmul on tensor cores", mmaGatedMatmulKernel<kColumns>,
           tileGrid<kColumns>(in, gate.rows), stream, out, in, gate, up);
}

}  // namespace gatescope::cuda
