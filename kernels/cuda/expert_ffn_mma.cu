// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/expert_ffn_mma.h"

#include "kernels/cuda/convert.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/mma_tile.h"

namespace gatescope::cuda {

namespace {

constexpr int kColumns = kExpertTileRows / 8;
using Ring = TokenRing<kColumns>;

/// The tile and the weight rows of a block. Blocks with the same weights run side by side, because
/// the tiles of an expert follow one another.
struct ExpertTile {
    GPU_FUNCTION explicit ExpertTile(const ExpertGroups& groups) {
        const auto tile =
            static_cast<std::int32_t>(blockIdx.x % static_cast<unsigned>(groups.maxTiles));
        used = tile < groups.count[1];
        if (!used) return;
        const auto group = groups.tiles[2 * tile];
        expert = groups.experts[group];
        begin = groups.starts[group] + groups.tiles[2 * tile + 1];
        pairs = min(groups.starts[group + 1] - begin, kExpertTileRows);
        firstRow = static_cast<std::int64_t>(blockIdx.x / static_cast<unsigned>(groups.maxTiles)) *
                   kMmaBlockRows;
    }
    /// Place in ExpertGroups::pairs of the tile's row i; the last again for those beyond it.
    GPU_FUNCTION std::int32_t place(int i) const { return begin + min(i, pairs - 1); }

    bool used;
    std::int32_t expert = 0;
    std::int32_t begin = 0;
    std::int32_t pairs = 0;
    std::int64_t firstRow = 0;
};

__global__ void __launch_bounds__(kMmaThreads, 2)
    expertHiddenMmaKernel(HalfHidden hidden, HalfRows in, int topK, ExpertTable table,
                          ExpertGroups groups) {
    __shared__ __align__(16) Ring::Memory memory;
    const ExpertTile tile(groups);
    if (!tile.used) return;
    const Ring tokens(
        memory, [&](int i) { return in.data + groups.pairs[tile.place(i)] / topK * in.stride; });
    MmaSums<kColumns> sums;
    mmaGatedTile<kColumns>(sums, table.weights[tile.expert],
                           table.weights[table.experts + tile.expert], tile.firstRow, tokens);
    forEachSum<kColumns>(sums, tile.firstRow, [&](std::int64_t row, int i, float value) {
        // The gap behind the last column has to hold zeros.
        if (i < tile.pairs && row < hidden.stride)
            hidden.data[(tile.begin + i) * hidden.stride + row] =
                row < hidden.cols ? toBf16(value) : std::uint16_t{0};
    });
}

__global__ void __launch_bounds__(kMmaThreads, 3)
    expertDownMmaKernel(Matrix outputs, HalfHidden hidden, ExpertTable table, ExpertGroups groups) {
    __shared__ __align__(16) Ring::Memory memory;
    const ExpertTile tile(groups);
    if (!tile.used) return;
    const Ring tokens(memory, [&](int i) { return hidden.data + tile.place(i) * hidden.stride; });
    MmaSums<kColumns> sums;
    mmaTileOfAnyType<kColumns>(sums, table.weights[2 * table.experts + tile.expert], tile.firstRow,
                               tokens);
    forEachSum<kColumns>(sums, tile.firstRow, [&](std::int64_t row, int i, float value) {
        if (i < tile.pairs && row < outputs.cols)
            outputs.row(groups.pairs[tile.begin + i])[row] = value;
    });
}

}  // namespace

void mmaExperts(Matrix outputs, const HalfHidden& hidden, const HalfRows& in, int topK,
                const ExpertTable& table, const ExpertGroups& groups, cudaStream_t stream) {
    const auto grid = [&](std::int64_t rows) {
        return Grid{static_cast<unsigned>(groups.maxTiles) * blocksFor(rows, kMmaBlockRows),
                    kMmaThreads};
    };
    launch("experts on tensor cores, gate and up", expertHiddenMmaKernel, grid(hidden.stride),
           stream, hidden, in, topK, table, groups);
    launch("experts on tensor cores, down", expertDownMmaKernel, grid(outputs.cols), stream,
           outputs, hidden, table, groups);
}

}  // namespace gatescope::cuda
