// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/latent_expansion.h"

#include "kernels/cuda/async_copy.h"
#include "kernels/cuda/flash_tile.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/latent_rows.h"

namespace gatescope::cuda {

template <typename Visit>
void forEachPointer(const HalfWeight& w, const Visit& visit) {
    visit(w.data);
}

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
// A block's tile of the product, and how much of the inner index is in shared memory at a time.
constexpr int kTile = 128;
constexpr int kInner = 32;
constexpr int kInnerPitch = kInner + 8;  // the rows of a fragment stand in different banks
constexpr int kStages = 3;
constexpr int kOperand = kTile * kInnerPitch;
constexpr int kStage = 2 * kOperand;
// Warps divide the tile 2 x 4.
constexpr int kRowTiles = kTile / 2 / 16;
constexpr int kColTiles = kTile / 4 / 8;

// One warp for each row.
template <DType Type>
__global__ void halfWeightKernel(std::uint16_t* out, std::int64_t stride, Weight weight) {
    const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + warpIndex();
    if (row >= weight.rows) return;
    for (int c = kOctet * laneIndex(); c < weight.cols; c += kOctet * kWarp) {
        float v[kOctet];
        weightOctet<Type>(v, weight, row, c);
        *reinterpret_cast<uint4*>(out + row * stride + c) =
            make_uint4(toBf16Pair(v[0], v[1]), toBf16Pair(v[2], v[3]), toBf16Pair(v[4], v[5]),
                       toBf16Pair(v[6], v[7]));
    }
}

template <CacheType Type>
__global__ void gatherRowsKernel(std::uint16_t* rows, LatentCacheView cache, std::int64_t begin,
                                 std::int64_t count) {
    const std::int64_t r = std::int64_t{blockIdx.x} * kWarps + warpIndex();
    if (r >= count) return;
    const auto width = static_cast<int>(cache.layout.width());
    const std::byte* row = cache.row(begin + r);
    for (int c = kOctet * laneIndex(); c < width; c += kOctet * kWarp)
        *reinterpret_cast<uint4*>(rows + r * width + c) =
            latentRowOctet<Type>(row, cache.layout, c);
}

// One operand of the product: `count` rows of which `size` values take part.
struct Operand {
    const std::uint16_t* data;
    std::int64_t stride;
    std::int64_t count;
    int size;

    // Begins to copy columns [k, k + kInner) of kTile rows from `first` on; zeros beyond the ends.
    GPU_FUNCTION void fetch(std::uint16_t* tile, std::int64_t first, int k) const {
        constexpr int kOctets = kInner / kOctet;
        for (int i = static_cast<int>(threadIdx.x); i < kTile * kOctets; i += kThreads) {
            const int r = i / kOctets;
            const int c = i % kOctets * kOctet;
            const bool valid = first + r < count && k + c < size;
            const std::uint16_t* from = valid ? data + (first + r) * stride + k + c : data;
            copyAsync(tile + r * kInnerPitch + c, from, valid);
        }
    }
};

struct ProductTile {
    float sums[kRowTiles][kColTiles][4] = {};

    GPU_FUNCTION static int row() { return warpIndex() % 2 * kTile / 2; }
    GPU_FUNCTION static int col() { return warpIndex() / 2 * kTile / 4; }

    GPU_FUNCTION void add(const std::uint16_t* stage) {
        const std::uint16_t* rows = stage + row() * kInnerPitch;
        const std::uint16_t* cols = stage + kOperand + col() * kInnerPitch;
#pragma unroll
        for (int k = 0; k < kInner; k += 16) {
            std::uint32_t a[kRowTiles][4];
#pragma unroll
            for (int m = 0; m < kRowTiles; ++m)
                loadA(a[m], rows + m * 16 * kInnerPitch + k, kInnerPitch);
#pragma unroll
            for (int n = 0; n < kColTiles; ++n) {
                std::uint32_t b[2];
                loadB(b, cols + n * 8 * kInnerPitch + k, kInnerPitch);
#pragma unroll
                for (int m = 0; m < kRowTiles; ++m) mmaBf16(sums[m][n], a[m], b);
            }
        }
    }

    GPU_FUNCTION void store(std::uint16_t* out, std::int64_t firstRow, std::int64_t firstCol,
                            std::int64_t rows, std::int64_t cols) const {
        const std::int64_t r0 = firstRow + row() + laneIndex() / 4;
        const std::int64_t c0 = firstCol + col() + laneIndex() % 4 * 2;
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const std::int64_t r = r0 + m * 16 + half * 8;
                if (r >= rows) continue;
#pragma unroll
                for (int n = 0; n < kColTiles; ++n)
                    if (c0 + n * 8 < cols)
                        *reinterpret_cast<std::uint32_t*>(out + r * cols + c0 + n * 8) =
                            toBf16Pair(sums[m][n][2 * half], sums[m][n][2 * half + 1]);
            }
    }
};

// Grid: tiles of columns, tiles of rows. Neighbouring blocks share the rows.
__global__ void __launch_bounds__(kThreads, 2)
    expandRowsKernel(std::uint16_t* out, const std::uint16_t* rows, std::int64_t stride,
                     std::int64_t count, HalfWeight weight) {
    GPU_DYN_SHARED(std::uint16_t, shared);
    const auto inner = static_cast<int>(weight.cols);
    const Operand left{rows, stride, count, inner};
    const Operand right{weight.data, weight.stride, weight.rows, inner};
    const std::int64_t firstRow = std::int64_t{blockIdx.y} * kTile;
    const std::int64_t firstCol = std::int64_t{blockIdx.x} * kTile;
    const auto fetch = [&](int step) {
        std::uint16_t* stage = shared + step % kStages * kStage;
        if (step * kInner < inner) {
            left.fetch(stage, firstRow, step * kInner);
            right.fetch(stage + kOperand, firstCol, step * kInner);
        }
        commitCopies();
    };

    ProductTile tile;
    for (int step = 0; step < kStages - 1; ++step) fetch(step);
    for (int step = 0; step * kInner < inner; ++step) {
        waitForCopies<kStages - 2>();
        __syncthreads();
        // Overwrites the stage that was multiplied before the barrier.
        fetch(step + kStages - 1);
        tile.add(shared + step % kStages * kStage);
    }
    tile.store(out, firstRow, firstCol, count, weight.rows);
}

constexpr std::int64_t halfStride(std::int64_t cols) {
    return (cols + kOctet - 1) / kOctet * kOctet;
}

}  // namespace

std::int64_t halfWeightSize(const Weight& weight) {
    return weight.dtype == DType::BF16 ? 0 : weight.rows * halfStride(weight.cols);
}

HalfWeight halfWeight(const Weight& weight, std::uint16_t* memory, cudaStream_t stream) {
    HalfWeight half{memory, weight.rows, weight.cols, halfStride(weight.cols)};
    if (weight.dtype == DType::BF16) {
        half.data = static_cast<const std::uint16_t*>(weight.data);
        half.stride = weight.stride();
        return half;
    }
    forType(weight.dtype, [&]<DType Type>() {
        launch("kv_b to bf16", halfWeightKernel<Type>,
               Grid{blocksFor(weight.rows, kWarps), kThreads}, stream, memory, half.stride, weight);
    });
    return half;
}

void gatherRows(std::uint16_t* rows, LatentCacheView cache, std::int64_t begin, std::int64_t count,
                cudaStream_t stream) {
    withCacheType(cache.layout.type, [&](auto type) {
        launch("gather latent rows", gatherRowsKernel<type()>,
               Grid{blocksFor(count, kWarps), kThreads}, stream, rows, cache, begin, count);
    });
}

void expandRows(std::uint16_t* out, const std::uint16_t* rows, std::int64_t stride,
                std::int64_t count, const HalfWeight& weight, cudaStream_t stream) {
    const Grid grid{{blocksFor(weight.rows, kTile), blocksFor(count, kTile)},
                    kThreads,
                    kStages * kStage * sizeof(std::uint16_t)};
    launch("expand keys and values", expandRowsKernel, grid, stream, out, rows, stride, count,
           weight);
}

}  // namespace gatescope::cuda
