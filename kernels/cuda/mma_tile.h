// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cuda/async_copy.h"
#include "kernels/cuda/convert.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/half_rows.h"
#include "kernels/cuda/mma.h"
#include "kernels/cuda/swiglu.h"

// Tensor-core products for many tokens. The weight is the left factor (16 rows of it in every mma),
// the tokens are the columns of the right one, so that a tile may have few of them. A block
// computes kMmaBlockRows weight rows by 8 * Columns tokens; each of its warps kMmaWarpRows rows by
// all tokens.
//
// Weights go from memory straight to the registers of the warp that needs them, in their stored
// type, and become BF16 there; tokens go through shared memory, in BF16. A step covers
// kHalfColumns = 64 columns. Which column is which index k of an mma is free, if both factors
// agree; the lane with l = lane % 4 takes columns 16 l .. 16 l + 15 of the step, 4 of them for each
// of the step's 4 mma: that makes everything it reads contiguous.

namespace gatescope::cuda {

inline constexpr int kMmaWarps = 4;
inline constexpr int kMmaThreads = kMmaWarps * kWarp;
inline constexpr int kMmaWarpRows = 32;
inline constexpr int kMmaBlockRows = kMmaWarps * kMmaWarpRows;
inline constexpr int kMmaDepth = 4;         ///< mma in one step
inline constexpr int kMmaLaneColumns = 16;  ///< columns of a step that a lane reads

/// Sums of a warp: 2 * 16 weight rows by `Columns` * 8 tokens, spread over the lanes as mma does.
template <int Columns>
using MmaSums = float[2][Columns][4];

/// body(group, column, i) for every place in MmaSums.
template <int Columns, typename Body>
GPU_FUNCTION void forEachIndex(const Body& body) {
#pragma unroll
    for (int group = 0; group < 2; ++group)
#pragma unroll
        for (int column = 0; column < Columns; ++column)
#pragma unroll
            for (int i = 0; i < 4; ++i) body(group, column, i);
}

/// The tokens of a tile in shared memory, a ring of three steps. The rows' distance of 144 bytes
/// spreads the 8 rows that are read at once over all banks.
template <int Columns>
class TokenRing {
  public:
    static constexpr int kSteps = 3;
    static constexpr int kRowBytes = 2 * kHalfColumns + 16;
    static constexpr int kTokens = 8 * Columns;

    using Memory = unsigned char[kSteps][kTokens * kRowBytes];

    /// row(i) is where token i of the tile lies, any valid row for those the tile has too many.
    template <typename Row>
    GPU_FUNCTION TokenRing(Memory& memory, const Row& row) : m_memory(&memory) {
#pragma unroll
        for (int i = 0; i < kPerThread; ++i)
            m_sources[i] =
                reinterpret_cast<const std::byte*>(row(i * kRowsAtOnce + rowOfThread())) +
                16 * vectorOfThread();
    }
    GPU_FUNCTION void request(int step) const {
#pragma unroll
        for (int i = 0; i < kPerThread; ++i)
            copyAsync((*m_memory)[step % kSteps] + (i * kRowsAtOnce + rowOfThread()) * kRowBytes +
                          16 * vectorOfThread(),
                      m_sources[i] + static_cast<std::int64_t>(step) * kStepBytes);
    }
    /// What a lane needs of token 8 * column + lane / 4 for one step.
    GPU_FUNCTION void load(int step, int column, std::uint32_t (&pairs)[8]) const {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        const auto* at = reinterpret_cast<const uint4*>((*m_memory)[step % kSteps] +
                                                        (8 * column + lane / 4) * kRowBytes +
                                                        2 * kMmaLaneColumns * (lane % 4));
        const uint4 low = at[0];
        const uint4 high = at[1];
#pragma unroll
        for (int i = 0; i < 4; ++i) pairs[i] = wordOf(low, i);
#pragma unroll
        for (int i = 0; i < 4; ++i) pairs[4 + i] = wordOf(high, i);
    }

  private:
    static constexpr int kStepBytes = 2 * kHalfColumns;
    static constexpr int kVectors = kStepBytes / 16;
    static constexpr int kRowsAtOnce = kMmaThreads / kVectors;
    static constexpr int kPerThread = kTokens / kRowsAtOnce;

    GPU_FUNCTION static int rowOfThread() {
        return static_cast<int>(threadIdx.x) / kVectors;
    }
    GPU_FUNCTION static int vectorOfThread() {
        return static_cast<int>(threadIdx.x) % kVectors;
    }

    Memory* m_memory;
    const std::byte* m_sources[kPerThread];
};

/// The weight rows of a lane: rows g and g + 8 of each of the warp's two groups of 16, g = lane
/// / 4.
template <DType Type>
class LaneRows {
  public:
    static constexpr int kElements = kVectorElements<Type>;
    static constexpr int kVectors = kMmaLaneColumns / kElements;

    /// As stored, for one step.
    struct Stored {
        uint4 bits[2][2][kVectors];
        float scales[2][2];
    };

    GPU_FUNCTION LaneRows(const Weight& weight, std::int64_t firstRow)
        : m_weight(&weight),
          m_scaled(Type == DType::F8E4M3 && weight.scales),
          m_wholeBlocks(!m_scaled || weight.blockCols % kHalfColumns == 0) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        const int warp = static_cast<int>(threadIdx.x) / kWarp;
        m_firstColumn = lane % 4 * kMmaLaneColumns;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const auto row =
                min(firstRow + warp * kMmaWarpRows + 8 * i + lane / 4, weight.rows - 1);
            m_rows[i] = rowBytes<Type>(weight, row);
            m_scaleRows[i] =
                m_scaled ? weight.scales + blockOf(row, weight.blockRows) * weight.scaleCols()
                         : nullptr;
        }
    }

    /// True if scales belong to the sums of a step, not to single values.
    GPU_FUNCTION bool scalesSums() const {
        return m_scaled && m_wholeBlocks;
    }

    GPU_FUNCTION void load(int step, Stored& stored) const {
        const auto first = static_cast<std::int64_t>(step) * kHalfColumns;
        const auto block = scalesSums() ? blockOf(first, m_weight->blockCols) : 0;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            stored.scales[i / 2][i % 2] = scalesSums() ? __ldg(m_scaleRows[i] + block) : 1.0f;
#pragma unroll
            for (int v = 0; v < kVectors; ++v) {
                const auto column = first + m_firstColumn + v * kElements;
                const auto offset = column * static_cast<std::int64_t>(elementSize(Type));
                stored.bits[i / 2][i % 2][v] =
                    column < m_weight->cols
                        ? __ldg(reinterpret_cast<const uint4*>(m_rows[i] + offset))
                        : make_uint4(0, 0, 0, 0);
            }
        }
    }

    /// The left factors of the step's mma for the warp's group `group` of 16 rows.
    GPU_FUNCTION void decode(int step, int group, const Stored& stored,
                             std::uint32_t (&a)[kMmaDepth][4]) const {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            std::uint32_t pairs[kMmaLaneColumns / 2];
#pragma unroll
            for (int v = 0; v < kVectors; ++v) {
                std::uint32_t part[kElements / 2];
                decodeToBf16<Type>(stored.bits[group][half][v], part);
#pragma unroll
                for (int i = 0; i < kElements / 2; ++i) pairs[v * kElements / 2 + i] = part[i];
            }
            if (!m_wholeBlocks) scaleValues(step, 2 * group + half, pairs);
#pragma unroll
            for (int i = 0; i < kMmaDepth; ++i) {
                a[i][half] = pairs[2 * i];
                a[i][2 + half] = pairs[2 * i + 1];
            }
        }
    }

  private:
    // For blocks of scales that end inside a step.
    GPU_FUNCTION void scaleValues(int step, int row,
                                  std::uint32_t (&pairs)[kMmaLaneColumns / 2]) const {
        const auto first = static_cast<std::int64_t>(step) * kHalfColumns + m_firstColumn;
#pragma unroll
        for (int i = 0; i < kMmaLaneColumns / 2; ++i) {
            const auto scale = [&](int which) {
                const auto column = min(first + 2 * i + which, m_weight->cols - 1);
                return m_scaleRows[row][blockOf(column, m_weight->blockCols)];
            };
            pairs[i] = toBf16Pair(__uint_as_float(pairs[i] << 16) * scale(0),
                                  __uint_as_float(pairs[i] & 0xFFFF0000u) * scale(1));
        }
    }

    const Weight* m_weight;
    bool m_scaled;
    bool m_wholeBlocks;
    std::int64_t m_firstColumn;
    const std::byte* m_rows[4];
    const float* m_scaleRows[4];
};

/// One step: adds to the sums what 64 columns contribute.
template <DType Type, int Columns>
GPU_FUNCTION void mmaStep(MmaSums<Columns>& sums, int step, const LaneRows<Type>& rows,
                          const std::uint32_t (&a)[2][kMmaDepth][4], const float (&scales)[2][2],
                          const TokenRing<Columns>& tokens) {
#pragma unroll
    for (int column = 0; column < Columns; ++column) {
        std::uint32_t pairs[8];
        tokens.load(step, column, pairs);
#pragma unroll
        for (int group = 0; group < 2; ++group) {
            float(&sum)[4] = sums[group][column];
            float part[4];
            const bool scaled = Type == DType::F8E4M3 && rows.scalesSums();
#pragma unroll
            for (int i = 0; i < 4; ++i) part[i] = scaled ? 0.0f : sum[i];
#pragma unroll
            for (int i = 0; i < kMmaDepth; ++i) {
                const std::uint32_t b[2] = {pairs[2 * i], pairs[2 * i + 1]};
                mmaBf16(part, a[group][i], b);
            }
#pragma unroll
            for (int i = 0; i < 4; ++i)
                sum[i] = scaled ? fmaf(scales[group][i / 2], part[i], sum[i]) : part[i];
        }
    }
}

/// sums = weight rows [firstRow, firstRow + kMmaBlockRows) (this warp's share of them) times the
/// tokens of the ring. To be called by the whole block.
template <DType Type, int Columns>
GPU_FUNCTION void mmaTile(MmaSums<Columns>& sums, const Weight& weight, std::int64_t firstRow,
                          const TokenRing<Columns>& tokens) {
    forEachIndex<Columns>([&](int group, int column, int i) { sums[group][column][i] = 0; });
    const LaneRows<Type> rows(weight, firstRow);
    const int steps = static_cast<int>((weight.cols + kHalfColumns - 1) / kHalfColumns);
    __syncthreads();  // the ring may still be read for the tile before
    for (int step = 0; step < TokenRing<Columns>::kSteps - 1; ++step) {
        if (step < steps) tokens.request(step);
        commitCopies();
    }
    typename LaneRows<Type>::Stored stored;
    rows.load(0, stored);
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
        std::uint32_t a[2][kMmaDepth][4];
#pragma unroll
        for (int group = 0; group < 2; ++group) rows.decode(step, group, stored, a[group]);
        const float scales[2][2] = {{stored.scales[0][0], stored.scales[0][1]},
                                    {stored.scales[1][0], stored.scales[1][1]}};
        if (step + 1 < steps) rows.load(step + 1, stored);
        waitForCopies<TokenRing<Columns>::kSteps - 2>();
        __syncthreads();
        // Every warp is done with the step before, whose place in the ring is free now.
        const int ahead = step + TokenRing<Columns>::kSteps - 1;
        if (ahead < steps) tokens.request(ahead);
        commitCopies();
        mmaStep<Type, Columns>(sums, step, rows, a, scales, tokens);
    }
}

/// The same for a type known only when the kernel runs.
template <int Columns>
GPU_FUNCTION void mmaTileOfAnyType(MmaSums<Columns>& sums, const Weight& weight,
                                   std::int64_t firstRow, const TokenRing<Columns>& tokens) {
    forType(weight.dtype,
            [&]<DType Type>() { mmaTile<Type, Columns>(sums, weight, firstRow, tokens); });
}

/// sums = silu(gate x) * (up x) for rows [firstRow, ..) of both.
template <int Columns>
GPU_FUNCTION void mmaGatedTile(MmaSums<Columns>& sums, const Weight& gate, const Weight& up,
                               std::int64_t firstRow, const TokenRing<Columns>& tokens) {
    MmaSums<Columns> gates;
#pragma unroll 1
    for (int pass = 0; pass < 2; ++pass) {
        mmaTileOfAnyType<Columns>(sums, pass == 0 ? gate : up, firstRow, tokens);
        if (pass == 1) break;
        forEachIndex<Columns>([&](int group, int column, int i) {
            gates[group][column][i] = sums[group][column][i];
        });
    }
    forEachIndex<Columns>([&](int group, int column, int i) {
        sums[group][column][i] = swiglu(gates[group][column][i], sums[group][column][i]);
    });
}

/// store(row, token, value) for every sum; row counted from the weight's first, token from the
/// tile's.
template <int Columns, typename Store>
GPU_FUNCTION void forEachSum(const MmaSums<Columns>& sums, std::int64_t firstRow,
                             const Store& store) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    forEachIndex<Columns>([&](int group, int column, int i) {
        store(firstRow + warp * kMmaWarpRows + 16 * group + lane / 4 + 8 * (i / 2),
              8 * column + 2 * (lane % 4) + i % 2, sums[group][column][i]);
    });
}

}  // namespace gatescope::cuda
