// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/cuda/latent_attention.h"
#include "kernels/cuda/latent_rows.h"
#include "kernels/cuda/warp_lane.h"

namespace gatescope::cuda {

namespace {

// A block works for kHeads heads of one query on one part of the context, kRows cache rows at a
// time; each row is key and value of all these heads. kColumns is the width of DeepSeek-V3's rows;
// wider ones are taken in pieces.
constexpr int kHeads = 16;
constexpr int kRows = 16;
constexpr int kColumns = 576;
constexpr int kPitch = kColumns + 4;  // rows begin in different banks of shared memory
constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
// Columns of the weighted sum of rows that a block keeps: 4 for each thread of a half.
constexpr int kSumColumns = 512;
constexpr int kHalfHeads = kHeads / 2;

struct Shared {
    float queries[kHeads][kPitch];
    float rows[kRows][kPitch];
    float products[kWarps][kHeads][kRows];  // of the columns each warp takes
    float probabilities[kRows][kHeads];
    float largest[kHeads];
    float total[kHeads];
    float shrink[kHeads];
};

struct Block {
    int part;
    int firstHead;
    int heads;
    int sumColumn;  // first column of the weighted sum
    std::int64_t token;
    std::int64_t begin;
    std::int64_t end;
};

GPU_FUNCTION Block thisBlock(const ContextParts& parts, const AttentionShape& shape) {
    const int chunks = static_cast<int>((shape.latentDim + kSumColumns - 1) / kSumColumns);
    Block b;
    b.part = static_cast<int>(blockIdx.x);
    b.firstHead = static_cast<int>(blockIdx.y) / chunks * kHeads;
    b.heads = min(kHeads, shape.heads - b.firstHead);
    b.sumColumn = static_cast<int>(blockIdx.y) % chunks * kSumColumns;
    b.token = blockIdx.z;
    const std::int64_t context = parts.divided(b.token);
    const std::int64_t length = parts.length(context);
    b.begin = b.part * length;
    b.end = min(b.begin + length, parts.visible(b.token));
    return b;
}

GPU_FUNCTION int paddedColumns(int width, int firstColumn) {
    const int left = width - firstColumn;
    return left < kColumns ? (left + 3) / 4 * 4 : kColumns;
}

// Columns [firstColumn, firstColumn + kColumns) of the block's absorbed queries.
GPU_FUNCTION void loadQueries(Shared& s, const float* queries, const Block& block, int width,
                              int firstColumn) {
    const int columns = paddedColumns(width, firstColumn);
    for (int h = warpIndex(); h < kHeads; h += kWarps) {
        const float* query = queries + std::int64_t{h} * width + firstColumn;
        for (int c = laneIndex(); c < columns; c += kWarp)
            s.queries[h][c] = h < block.heads && firstColumn + c < width ? query[c] : 0.0f;
    }
}

// The same columns of cache rows [position, position + kRows); zeros for rows beyond the part,
// whose memory may hold anything.
template <CacheType Type>
GPU_FUNCTION void loadRows(Shared& s, const LatentCacheView& cache, const Block& block,
                           std::int64_t position, int width, int firstColumn) {
    const int columns = paddedColumns(width, firstColumn);
    for (int r = warpIndex(); r < kRows; r += kWarps) {
        const bool visible = position + r < block.end;
        const std::byte* row = visible ? cache.row(position + r) : nullptr;
        for (int c = laneIndex(); c < columns; c += kWarp)
            s.rows[r][c] = visible && firstColumn + c < width
                               ? latentRowValue<Type>(row, cache.layout, firstColumn + c)
                               : 0.0f;
    }
}

GPU_FUNCTION float dotQuad(float4 a, float4 b, float sum) {
    return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

// Each warp takes every kWarps-th quad of columns, each lane 2 heads and 4 rows.
struct ScoreTile {
    float sums[2][4] = {};

    GPU_FUNCTION static int head(int i) { return laneIndex() % kHalfHeads + i * kHalfHeads; }
    GPU_FUNCTION static int row(int j) { return laneIndex() / kHalfHeads + j * 4; }

    GPU_FUNCTION void add(const Shared& s, int columns) {
        for (int c = 4 * warpIndex(); c < columns; c += 4 * kWarps) {
            float4 q[2];
#pragma unroll
            for (int i = 0; i < 2; ++i)
                q[i] = *reinterpret_cast<const float4*>(&s.queries[head(i)][c]);
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const float4 k = *reinterpret_cast<const float4*>(&s.rows[row(j)][c]);
#pragma unroll
                for (int i = 0; i < 2; ++i) sums[i][j] = dotQuad(q[i], k, sums[i][j]);
            }
        }
    }

    GPU_FUNCTION void store(Shared& s) const {
#pragma unroll
        for (int i = 0; i < 2; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) s.products[warpIndex()][head(i)][row(j)] = sums[i][j];
    }
};

// Products of every query with every row, over all columns.
template <CacheType Type>
GPU_FUNCTION void multiply(Shared& s, const float* queries, const LatentCacheView& cache,
                           const Block& block, std::int64_t position, int width) {
    ScoreTile tile;
    for (int c = 0; c < width; c += kColumns) {
        if (c > 0) __syncthreads();  // the columns before are still in use
        if (width > kColumns) loadQueries(s, queries, block, width, c);
        loadRows<Type>(s, cache, block, position, width, c);
        __syncthreads();
        tile.add(s, paddedColumns(width, c));
    }
    tile.store(s);
    __syncthreads();
}

// A running softmax (Milakov & Gimelshein 2018). Thread (head, row) of each half warp.
GPU_FUNCTION void updateSoftmax(Shared& s, std::int64_t visibleRows, float scale) {
    const int h = static_cast<int>(threadIdx.x) / kRows;
    const int r = static_cast<int>(threadIdx.x) % kRows;
    float score = 0;
    for (int w = 0; w < kWarps; ++w) score += s.products[w][h][r];
    score = r < visibleRows ? score * scale : -INFINITY;

    const float before = s.largest[h];
    float largest = fmaxf(before, score);
    for (int d = kRows / 2; d > 0; d /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(kFullMask, largest, d));
    // Scores that are all minus infinity must not become NaN here.
    const float shift = largest == -INFINITY ? 0.0f : largest;
    const float p = expf(score - shift);
    float sum = p;
    for (int d = kRows / 2; d > 0; d /= 2) sum += __shfl_xor_sync(kFullMask, sum, d);
    s.probabilities[r][h] = p;
    __syncwarp();
    if (r > 0) return;
    s.shrink[h] = expf(before - shift);
    s.largest[h] = largest;
    s.total[h] = fmaf(s.total[h], s.shrink[h], sum);
}

// What a thread keeps of the weighted sum of rows: 4 columns of 8 heads.
struct SumTile {
    float4 sums[kHalfHeads] = {};

    GPU_FUNCTION static int firstHead() {
        return static_cast<int>(threadIdx.x) / (kThreads / 2) * kHalfHeads;
    }
    GPU_FUNCTION static int column() { return static_cast<int>(threadIdx.x) % (kThreads / 2) * 4; }

    // `rows` of the tile, which stand in s from column `first` on.
    GPU_FUNCTION void add(const Shared& s, int rows, int first) {
        const int h0 = firstHead();
#pragma unroll
        for (int i = 0; i < kHalfHeads; ++i) {
            const float f = s.shrink[h0 + i];
            sums[i] = make_float4(sums[i].x * f, sums[i].y * f, sums[i].z * f, sums[i].w * f);
        }
#pragma unroll 2
        for (int r = 0; r < rows; ++r) {
            const float4 c = *reinterpret_cast<const float4*>(&s.rows[r][first + column()]);
            const auto* p = reinterpret_cast<const float4*>(&s.probabilities[r][h0]);
#pragma unroll
            for (int i = 0; i < kHalfHeads; i += 4) {
                const float4 weights = p[i / 4];
                accumulate(sums[i], weights.x, c);
                accumulate(sums[i + 1], weights.y, c);
                accumulate(sums[i + 2], weights.z, c);
                accumulate(sums[i + 3], weights.w, c);
            }
        }
    }

  private:
    GPU_FUNCTION static void accumulate(float4& sum, float p, float4 c) {
        sum = make_float4(fmaf(p, c.x, sum.x), fmaf(p, c.y, sum.y), fmaf(p, c.z, sum.z),
                          fmaf(p, c.w, sum.w));
    }
};

GPU_FUNCTION void storeResults(const Shared& s, const SumTile& tile,
                               const PartialAttention& partial, const Block& block,
                               std::int64_t firstRow, bool inRange) {
    if (inRange)
        for (int i = 0; i < kHalfHeads; ++i) {
            const int h = SumTile::firstHead() + i;
            if (h >= block.heads) break;
            float* to = partial.sum(firstRow + h, block.part) + block.sumColumn + SumTile::column();
            *reinterpret_cast<float4*>(to) = tile.sums[i];
        }
    const int h = static_cast<int>(threadIdx.x);
    if (block.sumColumn == 0 && h < block.heads)
        partial.stats[partial.index(firstRow + h, block.part)] =
            make_float2(s.largest[h], s.total[h]);
}

// Grid: parts; groups of heads times chunks of columns of the sum; queries.
template <CacheType Type>
__global__ void __launch_bounds__(kThreads, 2)
    floatLatentAttentionKernel(PartialAttention partial, const float* queries,
                               LatentCacheView cache, AttentionShape shape) {
    GPU_DYN_SHARED(Shared, shared);
    Shared& s = *shared;
    const Block block = thisBlock(partial.parts, shape);
    if (block.begin >= block.end) return;
    const int width = static_cast<int>(shape.latentDim + shape.ropeDim);
    const std::int64_t firstRow = block.token * shape.heads + block.firstHead;
    const float* blockQueries = queries + firstRow * width;
    const bool inRange = block.sumColumn + SumTile::column() < shape.latentDim;
    const bool inPieces = width > kColumns;

    if (threadIdx.x < kHeads) {
        s.largest[threadIdx.x] = -INFINITY;
        s.total[threadIdx.x] = 0;
    }
    if (!inPieces) loadQueries(s, blockQueries, block, width, 0);
    SumTile tile;
    for (std::int64_t p = block.begin; p < block.end; p += kRows) {
        multiply<Type>(s, blockQueries, cache, block, p, width);
        updateSoftmax(s, block.end - p, shape.scale);
        if (inPieces) loadRows<Type>(s, cache, block, p, width, block.sumColumn);
        __syncthreads();
        const auto rows = static_cast<int>(min(std::int64_t{kRows}, block.end - p));
        if (inRange) tile.add(s, rows, inPieces ? 0 : block.sumColumn);
        __syncthreads();
    }
    storeResults(s, tile, partial, block, firstRow, inRange);
}

}  // namespace

void floatLatentAttention(const PartialAttention& partial, const float* queries,
                          LatentCacheView cache, const AttentionShape& shape, cudaStream_t stream) {
    const auto& parts = partial.parts;
    const unsigned chunks = blocksFor(shape.latentDim, kSumColumns);
    const Grid grid{{static_cast<unsigned>(parts.room), blocksFor(shape.heads, kHeads) * chunks,
                     static_cast<unsigned>(parts.tokens)},
                    kThreads,
                    sizeof(Shared)};
    withCacheType(cache.layout.type, [&](auto type) {
        launch("latent attention", floatLatentAttentionKernel<type()>, grid, stream, partial,
               queries, cache, shape);
    });
}

}  // namespace gatescope::cuda
