// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/flash_attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/cuda/async_copy.h"
#include "kernels/cuda/flash_tile.h"
#include "kernels/cuda/quads.h"

// Attention by tiles with a running softmax (Dao et al. 2022): a warp has 16 queries of one head
// and keeps their scores and sums in registers; the keys and values of kPositions positions at a
// time are shared by the block's warps.

namespace gatescope::cuda {

/// Expanded keys and values of positions [begin, begin + count), and where the queries stand.
struct FlashStretch {
    const std::uint16_t* kv = nullptr;    ///< BF16 [count, H, dn + dv]: k_nope and v
    const std::uint16_t* rows = nullptr;  ///< BF16 [count, latentDim + dr], of which k_pe is used
    std::int64_t begin = 0;
    int count = 0;
    std::int64_t firstQuery = 0;  ///< position of query 0
    bool isFirst = true;          ///< of the stretches that make up the context
    bool isLast = true;
    /// [T, H] (largest score, sum) between stretches; out holds sums that are not normalised then.
    float2* state = nullptr;
};

template <typename Visit>
void forEachPointer(const FlashStretch& s, const Visit& visit) {
    visit(s.kv);
    visit(s.rows);
    visit(s.state);
}

namespace {

constexpr int kPositions = 64;
constexpr int kMaxWarps = 8;
constexpr int kMaxThreads = kMaxWarps * kWarp;
// 16-column strips of the result that a warp keeps.
constexpr int kStrips = 8;
constexpr std::int64_t kMaxValueDim = 16 * kStrips;

struct SharedLayout {
    int keyPitch;
    int valuePitch;
    int keys;  ///< where keys begin, in values; the queries come first
    int values;
    int total;

    constexpr SharedLayout(int keyDim, int valueDim, int warps)
        : keyPitch(bankPitch(keyDim)),
          valuePitch(bankPitch(valueDim)),
          keys(16 * warps * keyPitch),
          values(keys + kPositions * keyPitch),
          total(values + kPositions * valuePitch) {}
};

std::size_t sharedBytesOf(const AttentionShape& shape, int warps) {
    const SharedLayout layout(static_cast<int>(shape.queryDim()), static_cast<int>(shape.valueDim),
                              warps);
    return static_cast<std::size_t>(layout.total) * sizeof(std::uint16_t);
}

// The most warps of a block that fit; 0 if there is no room for one.
int warpsThatFit(const AttentionShape& shape, std::int64_t tokens, std::size_t sharedBytes) {
    auto warps = static_cast<int>(std::min<std::int64_t>(kMaxWarps, (tokens + 15) / 16));
    while (warps > 0 && sharedBytesOf(shape, warps) > sharedBytes) --warps;
    return warps;
}

class FlashBlock {
  public:
    GPU_FUNCTION FlashBlock(std::uint16_t* shared, ConstMatrix q, const FlashStretch& stretch,
                            const AttentionShape& shape)
        : m_shared(shared),
          m_stretch(stretch),
          m_heads(shape.heads),
          m_nopeDim(static_cast<int>(shape.nopeDim)),
          m_keyDim(static_cast<int>(shape.nopeDim + shape.ropeDim)),
          m_valueDim(static_cast<int>(shape.valueDim)),
          m_rowWidth(shape.latentDim + shape.ropeDim),
          m_ropeOffset(static_cast<int>(shape.latentDim - shape.nopeDim)),
          m_scale(shape.scale),
          m_head(static_cast<int>(blockIdx.y)),
          m_layout(m_keyDim, m_valueDim, static_cast<int>(blockDim.x) / kWarp),
          m_tokens(static_cast<int>(q.rows)) {
        // Blocks with the longest context begin first.
        const int queries = static_cast<int>(blockDim.x) / kWarp * 16;
        m_firstToken = static_cast<int>(gridDim.x - 1 - blockIdx.x) * queries;
        m_offset = static_cast<int>(stretch.firstQuery - stretch.begin);
        const int visible = m_offset + min(m_firstToken + queries, m_tokens);
        m_count = min(visible, stretch.count);
    }

    GPU_FUNCTION void run(const Matrix& out, const ConstMatrix& q) {
        loadQueries(q);
        loadState(out);
        if (m_count > 0) fetchKeys(0);
        for (int p = 0; p < m_count; p += kPositions) {
            waitForCopies<0>();
            __syncthreads();  // these keys are here, and nobody needs the values before
            fetchValues(p);
            float scores[kPositions / 8][4] = {};
            multiplyKeys(scores);
            updateSoftmax(scores, p);
            waitForCopies<0>();
            __syncthreads();  // these values are here, and nobody needs the keys any more
            if (p + kPositions < m_count) fetchKeys(p + kPositions);
            addValues(scores);
        }
        store(out);
    }

  private:
    GPU_FUNCTION std::uint16_t* keys() const { return m_shared + m_layout.keys; }
    GPU_FUNCTION std::uint16_t* values() const { return m_shared + m_layout.values; }
    GPU_FUNCTION std::uint16_t* warpQueries() const {
        return m_shared + warpIndex() * 16 * m_layout.keyPitch;
    }
    // The lane's query: row g of the warp's tile, or row g + 8 (half 1).
    GPU_FUNCTION int token(int half) const {
        return m_firstToken + warpIndex() * 16 + half * 8 + laneIndex() / 4;
    }

    GPU_FUNCTION void loadQueries(const ConstMatrix& q) const {
        for (int r = 0; r < 16; ++r) {
            const int t = m_firstToken + warpIndex() * 16 + r;
            const float* query = q.row(min(t, m_tokens - 1)) + std::int64_t{m_head} * m_keyDim;
            for (int c = laneIndex(); c < m_keyDim; c += kWarp)
                warpQueries()[r * m_layout.keyPitch + c] = toBf16(t < m_tokens ? query[c] : 0.0f);
        }
    }

    GPU_FUNCTION const std::uint16_t* expanded(int position) const {
        return m_stretch.kv +
               (std::int64_t{position} * m_heads + m_head) * (m_nopeDim + m_valueDim);
    }

    // Rows beyond the stretch become zeros.
    GPU_FUNCTION void fetchKeys(int position) const {
        const int warps = static_cast<int>(blockDim.x) / kWarp;
        for (int r = warpIndex(); r < kPositions; r += warps) {
            const bool valid = position + r < m_stretch.count;
            const int p = valid ? position + r : 0;
            const std::uint16_t* nope = expanded(p);
            const std::uint16_t* rope = m_stretch.rows + p * m_rowWidth + m_ropeOffset;
            for (int c = 8 * laneIndex(); c < m_keyDim; c += 8 * kWarp)
                copyAsync(keys() + r * m_layout.keyPitch + c, (c < m_nopeDim ? nope : rope) + c,
                          valid);
        }
        commitCopies();
    }

    GPU_FUNCTION void fetchValues(int position) const {
        const int octets = m_valueDim / 8;
        for (int i = static_cast<int>(threadIdx.x); i < kPositions * octets;
             i += static_cast<int>(blockDim.x)) {
            const int r = i / octets;
            const int c = i % octets * 8;
            const bool valid = position + r < m_stretch.count;
            copyAsync(values() + r * m_layout.valuePitch + c,
                      expanded(valid ? position + r : 0) + m_nopeDim + c, valid);
        }
        commitCopies();
    }

    GPU_FUNCTION void multiplyKeys(float (&scores)[kPositions / 8][4]) const {
        for (int k = 0; k < m_keyDim; k += 16) {
            std::uint32_t a[4];
            loadA(a, warpQueries() + k, m_layout.keyPitch);
#pragma unroll
            for (int n = 0; n < kPositions / 8; ++n) {
                std::uint32_t b[2];
                loadB(b, keys() + n * 8 * m_layout.keyPitch + k, m_layout.keyPitch);
                mmaBf16(scores[n], a, b);
            }
        }
    }

    // A running softmax (Milakov & Gimelshein 2018) over the tile's positions, which become
    // probabilities. Four lanes share a query.
    GPU_FUNCTION void updateSoftmax(float (&scores)[kPositions / 8][4], int position) {
        float factor[2];
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int visible = min(m_offset + token(half) + 1, m_stretch.count) - position;
            float highest = m_largest[half];
#pragma unroll
            for (int n = 0; n < kPositions / 8; ++n)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    float& s = scores[n][2 * half + i];
                    s = n * 8 + laneIndex() % 4 * 2 + i < visible ? s * m_scale : -INFINITY;
                    highest = fmaxf(highest, s);
                }
            highest = fmaxf(highest, __shfl_xor_sync(kFullMask, highest, 1));
            highest = fmaxf(highest, __shfl_xor_sync(kFullMask, highest, 2));
            // A query that sees nothing yet must not become NaN here.
            const float shift = highest == -INFINITY ? 0.0f : highest;
            factor[half] = expf(m_largest[half] - shift);
            m_largest[half] = highest;
            float sum = 0;
#pragma unroll
            for (int n = 0; n < kPositions / 8; ++n)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    float& s = scores[n][2 * half + i];
                    s = expf(s - shift);
                    sum += s;
                }
            m_total[half] = fmaf(m_total[half], factor[half], sum);
        }
#pragma unroll
        for (int i = 0; i < kStrips; ++i) {
            scaleC(m_sums[i][0], factor[0], factor[1]);
            scaleC(m_sums[i][1], factor[0], factor[1]);
        }
    }

    // sums += probabilities values. The result fragments of the scores are, rounded in pairs, the
    // operand fragments of this product.
    GPU_FUNCTION void addValues(const float (&p)[kPositions / 8][4]) {
#pragma unroll
        for (int k = 0; k < kPositions / 16; ++k) {
            const std::uint32_t a[4] = {toBf16Pair(p[2 * k][0], p[2 * k][1]),
                                        toBf16Pair(p[2 * k][2], p[2 * k][3]),
                                        toBf16Pair(p[2 * k + 1][0], p[2 * k + 1][1]),
                                        toBf16Pair(p[2 * k + 1][2], p[2 * k + 1][3])};
#pragma unroll
            for (int i = 0; i < kStrips; ++i) {
                if (i * 16 >= m_valueDim) break;
                std::uint32_t even[2];
                std::uint32_t odd[2];
                loadColumnPairs(even, odd, values() + k * 16 * m_layout.valuePitch + i * 16,
                                m_layout.valuePitch);
                mmaBf16(m_sums[i][0], a, even);
                mmaBf16(m_sums[i][1], a, odd);
            }
        }
    }

    GPU_FUNCTION float2& state(int half) const {
        return m_stretch.state[std::int64_t{token(half)} * m_heads + m_head];
    }

    // The lane's column of a strip.
    GPU_FUNCTION std::int64_t column(int strip) const {
        return std::int64_t{m_head} * m_valueDim + strip * 16 + laneIndex() % 4 * 4;
    }

    GPU_FUNCTION void loadState(const Matrix& out) {
        if (m_stretch.isFirst) return;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            if (token(half) >= m_tokens) continue;
            m_largest[half] = state(half).x;
            // The four lanes of a query add their parts in the end.
            m_total[half] = laneIndex() % 4 == 0 ? state(half).y : 0.0f;
            const float* row = out.row(token(half));
#pragma unroll
            for (int i = 0; i < kStrips; ++i) {
                if (i * 16 >= m_valueDim) break;
                const float4 v = loadQuad(row, column(i), out.cols);
                m_sums[i][0][2 * half] = v.x;
                m_sums[i][1][2 * half] = v.y;
                m_sums[i][0][2 * half + 1] = v.z;
                m_sums[i][1][2 * half + 1] = v.w;
            }
        }
    }

    GPU_FUNCTION void store(const Matrix& out) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float total = m_total[half];
            total += __shfl_xor_sync(kFullMask, total, 1);
            total += __shfl_xor_sync(kFullMask, total, 2);
            if (token(half) >= m_tokens) continue;
            if (!m_stretch.isLast && laneIndex() % 4 == 0)
                state(half) = make_float2(m_largest[half], total);
            const float factor = m_stretch.isLast ? 1.0f / total : 1.0f;
            float* row = out.row(token(half));
#pragma unroll
            for (int i = 0; i < kStrips; ++i) {
                if (i * 16 >= m_valueDim) break;
                const float4 v = columnQuad(m_sums[i][0], m_sums[i][1], half);
                storeQuad(row, column(i), out.cols,
                          make_float4(v.x * factor, v.y * factor, v.z * factor, v.w * factor));
            }
        }
    }

    std::uint16_t* m_shared;
    const FlashStretch& m_stretch;
    int m_heads;
    int m_nopeDim;
    int m_keyDim;
    int m_valueDim;
    std::int64_t m_rowWidth;
    int m_ropeOffset;  // of the column dn of a key from the begin of a row
    float m_scale;
    int m_head;
    SharedLayout m_layout;
    int m_tokens;
    int m_firstToken;
    int m_offset;  // of query 0 from the stretch's begin
    int m_count;   // positions of the stretch that some query of the block sees
    float m_largest[2] = {-INFINITY, -INFINITY};
    float m_total[2] = {};
    float m_sums[kStrips][2][4] = {};
};

// Grid: tiles of queries, heads.
__global__ void __launch_bounds__(kMaxThreads, 2)
    flashAttentionKernel(Matrix out, ConstMatrix q, FlashStretch stretch, AttentionShape shape) {
    GPU_DYN_SHARED(std::uint16_t, shared);
    FlashBlock(shared, q, stretch, shape).run(out, q);
}

}  // namespace

bool fitsFlashAttention(const AttentionShape& shape, std::size_t sharedBytes) {
    const bool wholeTiles = shape.nopeDim % 16 == 0 && shape.ropeDim % 16 == 0 &&
                            shape.valueDim % 16 == 0 && shape.latentDim % 8 == 0;
    return wholeTiles && shape.valueDim <= kMaxValueDim && warpsThatFit(shape, 1, sharedBytes) > 0;
}

void flashAttention(Matrix out, ConstMatrix q, const HalfWeight& kvB, LatentCacheView cache,
                    std::int64_t first, const AttentionShape& shape, const ExpandedBuffers& buffers,
                    std::size_t sharedBytes, cudaStream_t stream) {
    const std::int64_t context = first + q.rows;
    const int warps = warpsThatFit(shape, q.rows, sharedBytes);
    const Grid grid{{blocksFor(q.rows, 16 * warps), static_cast<unsigned>(shape.heads)},
                    static_cast<unsigned>(warps * kWarp),
                    sharedBytesOf(shape, warps)};
    FlashStretch stretch{.kv = buffers.kv, .rows = buffers.rows, .firstQuery = first};
    stretch.state = buffers.state;
    for (std::int64_t begin = 0; begin < context; begin += buffers.positions) {
        const std::int64_t count = std::min(buffers.positions, context - begin);
        stretch.begin = begin;
        stretch.count = static_cast<int>(count);
        stretch.isFirst = begin == 0;
        stretch.isLast = begin + count == context;
        gatherRows(buffers.rows, cache, begin, count, stream);
        expandRows(buffers.kv, buffers.rows, shape.latentWidth(), count, kvB, stream);
        launch("flash attention", flashAttentionKernel, grid, stream, out, q, stretch, shape);
    }
}

}  // namespace gatescope::cuda
