// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/cuda/async_copy.h"
#include "kernels/cuda/flash_tile.h"
#include "kernels/cuda/latent_attention.h"
#include "kernels/cuda/latent_rows.h"

namespace gatescope::cuda {

namespace {

// A block works for 16 `Tiles` rows (head, query), neighbours in [T, H], on one part of the
// context, kPositions cache rows at a time: scores = queries rows^T, then sums += probabilities
// rows. The rows lie in shared memory in BF16, one after the other; the next ones are fetched
// meanwhile.
constexpr int kPositions = 32;
constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kMaxTiles = 4;
// 16-column strips of the weighted sum of rows that a warp keeps.
constexpr int kStrips = 4;
constexpr std::int64_t kMaxLatentDim = 16 * kStrips * kWarps;
constexpr int kProbabilityPitch = kPositions + 8;
constexpr int kScorePitch = kPositions + 4;

/// Where things lie in a block's dynamic shared memory, in bytes. BF16 cache rows are used as they
/// were fetched, in two buffers by turns; others are fetched as they are and then converted.
struct SharedLayout {
    int pitch;  ///< values from row to row
    int rows;
    int stageBytes;
    int tile;
    int stage;
    int probabilities;
    int scores;
    int stats;
    int total;

    constexpr SharedLayout(const LatentLayout& cache, int tiles)
        : pitch(bankPitch(static_cast<int>(cache.width()))),
          rows(16 * tiles),
          stageBytes(kPositions * (cache.type == CacheType::BF16
                                       ? 2 * pitch
                                       : static_cast<int>(cache.rowBytes()))),
          tile(rows * pitch * 2),
          stage(tile + kPositions * pitch * 2),
          probabilities(stage + stageBytes),
          scores(probabilities + rows * kProbabilityPitch * 2),
          stats(scores + rows * kScorePitch * 4),
          total(stats + rows * 3 * 4) {}
};

template <CacheType Type, int Tiles>
class Block {
  public:
    GPU_FUNCTION Block(unsigned char* shared, const PartialAttention& partial,
                       const LatentCacheView& cache, const AttentionShape& shape)
        : m_shared(shared),
          m_layout(cache.layout, Tiles),
          m_partial(partial),
          m_cache(cache),
          m_width(static_cast<int>(cache.layout.width())),
          m_latentDim(static_cast<int>(shape.latentDim)),
          m_firstRow(std::int64_t{blockIdx.y} * kRows),
          m_rows(partial.parts.tokens * shape.heads),
          m_scale(shape.scale) {
        const auto& parts = partial.parts;
        const std::int64_t context = parts.divided(0);
        const std::int64_t length = parts.length(context);
        m_begin = blockIdx.x * length;
        m_end = min(m_begin + length, context);
    }

    GPU_FUNCTION void run(const std::uint16_t* queries) {
        if (m_begin >= m_end) return;
        prepare(queries);
        fetch(0, m_begin);
        int buffer = 0;
        for (std::int64_t p = m_begin; p < m_end; p += kPositions) {
            const std::uint16_t* tile = nextTile(buffer, p);
            multiply(tile);
            __syncthreads();
            updateSoftmax(p);
            __syncthreads();
            addRows(tile);
            __syncthreads();
            buffer ^= 1;
        }
        store();
    }

  private:
    static constexpr int kRows = 16 * Tiles;
    static constexpr bool kConverts = Type != CacheType::BF16;

    // ... the parts of shared memory
    GPU_FUNCTION std::uint16_t* queries() const {
        return reinterpret_cast<std::uint16_t*>(m_shared);
    }
    GPU_FUNCTION std::uint16_t* tileBuffer() const {
        return reinterpret_cast<std::uint16_t*>(m_shared + m_layout.tile);
    }
    GPU_FUNCTION unsigned char* fetchBuffer(int buffer) const {
        return m_shared + (kConverts || buffer ? m_layout.stage : m_layout.tile);
    }
    GPU_FUNCTION std::uint16_t* probabilities() const {
        return reinterpret_cast<std::uint16_t*>(m_shared + m_layout.probabilities);
    }
    GPU_FUNCTION float* scores() const {
        return reinterpret_cast<float*>(m_shared + m_layout.scores);
    }
    GPU_FUNCTION float* largest() const {
        return reinterpret_cast<float*>(m_shared + m_layout.stats);
    }
    GPU_FUNCTION float* totals() const { return largest() + kRows; }
    GPU_FUNCTION float* shrink() const { return largest() + 2 * kRows; }

    GPU_FUNCTION void prepare(const std::uint16_t* from) const {
        const auto rows = static_cast<int>(min(std::int64_t{kRows}, m_rows - m_firstRow));
        copyRowsToTile(queries(), m_layout.pitch, from + m_firstRow * m_width, m_width, m_width,
                       rows, kRows);
        // The columns up to the next multiple of 16 take part in products.
        clearColumns(tileBuffer(), m_layout.pitch, m_width, kPositions);
        if (!kConverts)
            clearColumns(reinterpret_cast<std::uint16_t*>(fetchBuffer(1)), m_layout.pitch, m_width,
                         kPositions);
        for (int r = static_cast<int>(threadIdx.x); r < kRows; r += kThreads) {
            largest()[r] = -INFINITY;
            totals()[r] = 0;
        }
    }

    // Begins to copy rows [position, position + kPositions) as they are stored. Rows beyond the
    // part become zeros: their memory may hold anything.
    GPU_FUNCTION void fetch(int buffer, std::int64_t position) const {
        const auto rowBytes = static_cast<int>(m_cache.layout.rowBytes());
        const int pitch = kConverts ? rowBytes : 2 * m_layout.pitch;
        for (int r = warpIndex(); r < kPositions && position < m_end; r += kWarps) {
            unsigned char* to = fetchBuffer(buffer) + r * pitch;
            const bool visible = position + r < m_end;
            const std::byte* from = m_cache.row(visible ? position + r : position);
            for (int b = 16 * laneIndex(); b < rowBytes; b += 16 * kWarp)
                copyAsync(to + b, from + b, visible);
        }
        commitCopies();
    }

    // Waits for the rows at `position` and begins to fetch those after them.
    GPU_FUNCTION const std::uint16_t* nextTile(int buffer, std::int64_t position) const {
        if constexpr (kConverts) {
            waitForCopies<0>();
            __syncthreads();
            convert();
            __syncthreads();
            fetch(0, position + kPositions);
            return tileBuffer();
        } else {
            fetch(buffer ^ 1, position + kPositions);
            waitForCopies<1>();
            __syncthreads();
            return reinterpret_cast<const std::uint16_t*>(fetchBuffer(buffer));
        }
    }

    GPU_FUNCTION void convert() const {
        const auto rowBytes = static_cast<int>(m_cache.layout.rowBytes());
        for (int r = warpIndex(); r < kPositions; r += kWarps) {
            const auto* row = reinterpret_cast<const std::byte*>(fetchBuffer(0)) + r * rowBytes;
            std::uint16_t* to = tileBuffer() + r * m_layout.pitch;
            for (int c = kOctet * laneIndex(); c < m_width; c += kOctet * kWarp)
                *reinterpret_cast<uint4*>(to + c) = latentRowOctet<Type>(row, m_cache.layout, c);
        }
    }

    // scores = queries tile^T. A warp does one row tile and one or two tiles of 8 positions.
    GPU_FUNCTION void multiply(const std::uint16_t* tile) const {
        constexpr int kColumnTiles = kPositions / 8;
        constexpr int kPerWarp = Tiles * kColumnTiles > kWarps ? Tiles * kColumnTiles / kWarps : 1;
        const int rowTile = warpIndex() % Tiles;
        const int firstColumn = warpIndex() / Tiles * kPerWarp;
        if (firstColumn >= kColumnTiles) return;
        float acc[kPerWarp][4] = {};
        for (int k = 0; k < m_width; k += 16) {
            std::uint32_t a[4];
            loadA(a, queries() + rowTile * 16 * m_layout.pitch + k, m_layout.pitch);
#pragma unroll
            for (int n = 0; n < kPerWarp; ++n) {
                std::uint32_t b[2];
                loadB(b, tile + (firstColumn + n) * 8 * m_layout.pitch + k, m_layout.pitch);
                mmaBf16(acc[n], a, b);
            }
        }
#pragma unroll
        for (int n = 0; n < kPerWarp; ++n)
            storeC(scores() + rowTile * 16 * kScorePitch + (firstColumn + n) * 8, kScorePitch,
                   acc[n]);
    }

    // A running softmax (Milakov & Gimelshein 2018); neighbouring lanes share a row.
    GPU_FUNCTION void updateSoftmax(std::int64_t position) const {
        constexpr int kLanes = kThreads / kRows;
        constexpr int kPerLane = kPositions / kLanes;
        const int r = static_cast<int>(threadIdx.x) / kLanes;
        const int first = static_cast<int>(threadIdx.x) % kLanes * kPerLane;
        const std::int64_t row = min(m_firstRow + r, m_rows - 1);
        const std::int64_t visible =
            min(m_end, m_partial.parts.visible(row / m_partial.parts.heads)) - position;
        float score[kPerLane];
        const float before = largest()[r];
        float highest = before;
#pragma unroll
        for (int i = 0; i < kPerLane; ++i) {
            score[i] =
                first + i < visible ? scores()[r * kScorePitch + first + i] * m_scale : -INFINITY;
            highest = fmaxf(highest, score[i]);
        }
        for (int d = kLanes / 2; d > 0; d /= 2)
            highest = fmaxf(highest, __shfl_xor_sync(kFullMask, highest, d));
        // A row that sees nothing yet must not become NaN here.
        const float shift = highest == -INFINITY ? 0.0f : highest;
        float sum = 0;
#pragma unroll
        for (int i = 0; i < kPerLane; i += 2) {
            const std::uint32_t pair =
                toBf16Pair(expf(score[i] - shift), expf(score[i + 1] - shift));
            *reinterpret_cast<std::uint32_t*>(probabilities() + r * kProbabilityPitch + first + i) =
                pair;
            // The sum is that of the rounded values, so that the weights sum to one.
            sum += fromBf16(static_cast<std::uint16_t>(pair & 0xffffu)) +
                   fromBf16(static_cast<std::uint16_t>(pair >> 16));
        }
        for (int d = kLanes / 2; d > 0; d /= 2) sum += __shfl_xor_sync(kFullMask, sum, d);
        __syncwarp();
        if (first > 0) return;
        const float factor = expf(before - shift);
        largest()[r] = highest;
        totals()[r] = fmaf(totals()[r], factor, sum);
        shrink()[r] = factor;
    }

    // The first latent column of a warp's strip; strips are dealt out in turns.
    GPU_FUNCTION static int stripColumn(int strip) {
        return 16 * (warpIndex() + kWarps * strip);
    }

    // sums = sums shrink + probabilities tile.
    GPU_FUNCTION void addRows(const std::uint16_t* tile) {
#pragma unroll
        for (int m = 0; m < Tiles; ++m) {
            const float low = shrink()[m * 16 + laneIndex() / 4];
            const float high = shrink()[m * 16 + laneIndex() / 4 + 8];
#pragma unroll
            for (int i = 0; i < kStrips; ++i) {
                scaleC(m_sums[m][i][0], low, high);
                scaleC(m_sums[m][i][1], low, high);
            }
        }
#pragma unroll
        for (int k = 0; k < kPositions; k += 16) {
            std::uint32_t a[Tiles][4];
#pragma unroll
            for (int m = 0; m < Tiles; ++m)
                loadA(a[m], probabilities() + m * 16 * kProbabilityPitch + k, kProbabilityPitch);
#pragma unroll
            for (int i = 0; i < kStrips; ++i) {
                if (stripColumn(i) >= m_latentDim) break;
                std::uint32_t even[2];
                std::uint32_t odd[2];
                loadColumnPairs(even, odd, tile + k * m_layout.pitch + stripColumn(i),
                                m_layout.pitch);
#pragma unroll
                for (int m = 0; m < Tiles; ++m) {
                    mmaBf16(m_sums[m][i][0], a[m], even);
                    mmaBf16(m_sums[m][i][1], a[m], odd);
                }
            }
        }
    }

    GPU_FUNCTION void store() const {
        const int part = static_cast<int>(blockIdx.x);
#pragma unroll
        for (int m = 0; m < Tiles; ++m)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const std::int64_t row = m_firstRow + m * 16 + half * 8 + laneIndex() / 4;
                if (row >= m_rows) continue;
                float* to = m_partial.sum(row, part);
#pragma unroll
                for (int i = 0; i < kStrips; ++i) {
                    const int column = stripColumn(i) + laneIndex() % 4 * 4;
                    if (column >= m_latentDim) break;
                    *reinterpret_cast<float4*>(to + column) =
                        columnQuad(m_sums[m][i][0], m_sums[m][i][1], half);
                }
            }
        const auto r = static_cast<int>(threadIdx.x);
        if (r < kRows && m_firstRow + r < m_rows)
            m_partial.stats[m_partial.index(m_firstRow + r, part)] =
                make_float2(largest()[r], totals()[r]);
    }

    unsigned char* m_shared;
    SharedLayout m_layout;
    const PartialAttention& m_partial;
    const LatentCacheView& m_cache;
    int m_width;
    int m_latentDim;
    std::int64_t m_firstRow;
    std::int64_t m_rows;
    float m_scale;
    std::int64_t m_begin;
    std::int64_t m_end;
    float m_sums[Tiles][kStrips][2][4] = {};
};

// Grid: parts; groups of 16 Tiles rows.
template <CacheType Type, int Tiles>
__global__ void __launch_bounds__(kThreads, Tiles == 1 ? 2 : 1)
    tensorLatentAttentionKernel(PartialAttention partial, const std::uint16_t* queries,
                                LatentCacheView cache, AttentionShape shape) {
    GPU_DYN_SHARED(unsigned char, shared);
    Block<Type, Tiles>(shared, partial, cache, shape).run(queries);
}

template <int Tiles>
void launchTiles(const PartialAttention& partial, const std::uint16_t* queries,
                 LatentCacheView cache, const AttentionShape& shape, cudaStream_t stream) {
    const Grid grid{{static_cast<unsigned>(partial.parts.room),
                     blocksFor(partial.parts.tokens * shape.heads, 16 * Tiles)},
                    kThreads,
                    static_cast<std::size_t>(SharedLayout(cache.layout, Tiles).total)};
    withCacheType(cache.layout.type, [&](auto type) {
        launch("latent attention", tensorLatentAttentionKernel<type(), Tiles>, grid, stream,
               partial, queries, cache, shape);
    });
}

}  // namespace

int tensorRowTiles(const AttentionShape& shape, const LatentLayout& layout, std::int64_t rows,
                   std::size_t sharedBytes) {
    const bool wholeOctets = shape.latentDim % kOctet == 0 && shape.ropeDim % kOctet == 0;
    if (!wholeOctets || shape.latentDim > kMaxLatentDim) return 0;
    int tiles = rows > 32 ? kMaxTiles : rows > 16 ? 2 : 1;
    while (tiles > 0 && static_cast<std::size_t>(SharedLayout(layout, tiles).total) > sharedBytes)
        tiles /= 2;
    return tiles;
}

void tensorLatentAttention(const PartialAttention& partial, const std::uint16_t* queries,
                           LatentCacheView cache, const AttentionShape& shape, int rowTiles,
                           cudaStream_t stream) {
    switch (rowTiles) {
        case 1:
            return launchTiles<1>(partial, queries, cache, shape, stream);
        case 2:
            return launchTiles<2>(partial, queries, cache, shape, stream);
        default:
            return launchTiles<kMaxTiles>(partial, queries, cache, shape, stream);
    }
}

}  // namespace gatescope::cuda
