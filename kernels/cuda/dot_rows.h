// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cuda/convert.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/quads.h"

// Float32 products of weight rows and activations, for few tokens: limited by how fast weights come
// from memory. A warp takes kDotRows rows and several tokens; its lanes share the columns, 16 bytes
// of each row at a time. The order of every sum depends on the weight's type and shape and on the
// number of parts, never on how many tokens are computed together.

namespace gatescope::cuda {

inline constexpr int kDotRows = 4;
inline constexpr int kDotWarps = 8;
inline constexpr int kDotThreads = kDotWarps * kWarp;

/// How many warps share the columns of a row, each taking every so-manieth step: more for small
/// weights, which would leave most of a GPU idle.
constexpr int dotParts(const Weight& weight) {
    constexpr std::int64_t kBusyWarps = 2048;
    const auto rowGroups = (weight.rows + kDotRows - 1) / kDotRows;
    const auto stepColumns = kWarp * 16 / static_cast<std::int64_t>(elementSize(weight.dtype));
    int parts = 1;
    while (parts < kDotWarps && rowGroups * parts < kBusyWarps &&
           2 * parts * stepColumns <= weight.cols)
        parts *= 2;
    return parts;
}

/// Tokens a warp computes together, for T in all.
constexpr int dotTokens(std::int64_t tokens) {
    return tokens <= 2 ? static_cast<int>(tokens) : tokens <= 4 ? 4 : 8;
}

/// Rows of activations; those a tile has too many repeat another.
template <int Tokens>
struct DotInput {
    const float* rows[Tokens];
    bool aligned;  ///< every row begins at a multiple of 16 bytes
};

GPU_FUNCTION bool isAligned(const ConstMatrix& in) {
    return isQuadAligned(in.data) && in.stride % kQuad == 0;
}

/// Lanes `distance` apart add their values and keep half of the sums each; and so on with half the
/// distance until one is left.
template <int Count>
GPU_FUNCTION void halveOverLanes(float* values, int distance) {
    const bool upper = (threadIdx.x & static_cast<unsigned>(distance)) != 0;
#pragma unroll
    for (int i = 0; i < Count / 2; ++i) {
        const float given = upper ? values[i] : values[i + Count / 2];
        const float kept = upper ? values[i + Count / 2] : values[i];
        values[i] = kept + __shfl_xor_sync(kFullMask, given, distance);
    }
    if constexpr (Count > 2) halveOverLanes<Count / 2>(values, distance / 2);
}

/// Adds `Count` values over the lanes of a warp; the lane returns the sum of value
/// lane * Count / 32. Halving what a lane holds at every exchange costs about Count + 4 shuffles
/// instead of 5 * Count, in the same order of additions for every Count.
template <int Count>
GPU_FUNCTION float sumOverLanes(float (&values)[Count]) {
    halveOverLanes<Count>(values, kWarp / 2);
    float sum = values[0];
#pragma unroll
    for (int distance = kWarp / (2 * Count); distance > 0; distance /= 2)
        sum += __shfl_xor_sync(kFullMask, sum, distance);
    return sum;
}

/// Adds one vector of each row times the tokens' values there. loadX(t, quad) gives four of them,
/// scaleOf(r, quad, i) what a weight is multiplied with (Whole: nothing), factors[r] scales the
/// row's part of the sum (F8). Whole vectors are the rule, so the other code is kept short.
template <DType Type, int Tokens, bool Whole, typename LoadX, typename ScaleOf>
GPU_FUNCTION void dotVector(float (&sums)[kDotRows * Tokens], const uint4 (&bits)[kDotRows],
                            const float (&factors)[kDotRows], const LoadX& loadX,
                            const ScaleOf& scaleOf) {
    constexpr int kQuads = kVectorElements<Type> / 4;
    constexpr bool kScaled = Type == DType::F8E4M3;
    float parts[kDotRows * Tokens];
#pragma unroll
    for (int i = 0; i < kDotRows * Tokens; ++i) parts[i] = kScaled ? 0.0f : sums[i];
#pragma unroll(Whole ? kQuads : 1)
    for (int quad = 0; quad < kQuads; ++quad) {
        float w[kDotRows][4];
#pragma unroll
        for (int r = 0; r < kDotRows; ++r) {
            decodeQuad<Type>(bits[r], quad, w[r]);
            if constexpr (kScaled && !Whole) {
#pragma unroll
                for (int i = 0; i < 4; ++i) w[r][i] *= scaleOf(r, quad, i);
            }
        }
#pragma unroll
        for (int t = 0; t < Tokens; ++t) {
            const float4 x = loadX(t, quad);
#pragma unroll
            for (int r = 0; r < kDotRows; ++r) {
                float& sum = parts[r * Tokens + t];
                sum = fmaf(w[r][0], x.x, sum);
                sum = fmaf(w[r][1], x.y, sum);
                sum = fmaf(w[r][2], x.z, sum);
                sum = fmaf(w[r][3], x.w, sum);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < kDotRows * Tokens; ++i)
        sums[i] = kScaled ? fmaf(factors[i / Tokens], parts[i], sums[i]) : parts[i];
}

/// The rows a warp reads, [first, first + kDotRows); beyond the weight's last that one again.
/// Offsets from the first keep few registers busy.
template <DType Type>
struct DotRowsOf {
    GPU_FUNCTION DotRowsOf(const Weight& weight, std::int64_t firstRow)
        : cols(static_cast<int>(weight.cols)),
          blockCols(Type == DType::F8E4M3 && weight.scales ? weight.blockCols : 0),
          wholeBlocks(blockCols % kVectorElements<Type> == 0) {
        const std::int64_t first = min(firstRow, weight.rows - 1);
        data = rowBytes<Type>(weight, first);
        const auto firstBlock = blockCols ? blockOf(first, weight.blockRows) : 0;
        if (blockCols) scales = weight.scales + firstBlock * weight.scaleCols();
#pragma unroll
        for (int r = 0; r < kDotRows; ++r) {
            const std::int64_t row = min(first + r, weight.rows - 1);
            offsets[r] = static_cast<std::uint32_t>(rowBytes<Type>(weight, row) - data);
            if (blockCols)
                scaleOffsets[r] = static_cast<std::uint32_t>(
                    (blockOf(row, weight.blockRows) - firstBlock) * weight.scaleCols());
        }
    }
    GPU_FUNCTION uint4 vector(int r, int column) const {
        constexpr auto kSize = static_cast<std::int64_t>(elementSize(Type));
        return __ldg(reinterpret_cast<const uint4*>(data + column * kSize + offsets[r]));
    }
    GPU_FUNCTION float scale(int r, int block) const {
        return __ldg(scales + scaleOffsets[r] + block);
    }

    int cols;
    int blockCols;     ///< of scales; 0: there are none
    bool wholeBlocks;  ///< a vector lies in one block of scales wherever it begins
    const std::byte* data;
    const float* scales = nullptr;
    std::uint32_t offsets[kDotRows];
    std::uint32_t scaleOffsets[kDotRows] = {};
};

/// Walks along the columns in steps and keeps the block of scales that a column is in.
struct BlockWalk {
    GPU_FUNCTION BlockWalk(int blockSize, int column, int step) : size(blockSize) {
        if (size == 0) return;
        block = column / size;
        rest = column - block * size;
        stepBlocks = step / size;
        stepRest = step - stepBlocks * size;
    }
    GPU_FUNCTION void advance() {
        block += stepBlocks;
        rest += stepRest;
        if (rest < size) return;
        rest -= size;
        ++block;
    }

    int size;
    int block = 0;
    int rest = 0;
    int stepBlocks = 0;
    int stepRest = 0;
};

/// Products of weight rows [firstRow, firstRow + kDotRows) and the tokens of `in`, over the columns
/// of one of `parts` parts. A lane returns the product of row DotLane::row and token
/// DotLane::token.
template <DType Type, int Tokens>
GPU_FUNCTION float dotRows(const Weight& weight, std::int64_t firstRow, const DotInput<Tokens>& in,
                           int part, int parts) {
    constexpr int kElements = kVectorElements<Type>;
    const DotRowsOf<Type> rows(weight, firstRow);
    float sums[kDotRows * Tokens] = {};
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int step = parts * kWarp * kElements;
    int k = (part * kWarp + lane) * kElements;
    BlockWalk walk(rows.blockCols, k, step);
    for (; k < rows.cols; k += step) {
        uint4 bits[kDotRows];
        float factors[kDotRows];
#pragma unroll
        for (int r = 0; r < kDotRows; ++r) {
            bits[r] = rows.vector(r, k);
            factors[r] = rows.blockCols && rows.wholeBlocks ? rows.scale(r, walk.block) : 1.0f;
        }
        if (in.aligned && rows.wholeBlocks && k + kElements <= rows.cols) {
            dotVector<Type, Tokens, true>(
                sums, bits, factors,
                [&](int t, int quad) {
                    return *reinterpret_cast<const float4*>(in.rows[t] + k + 4 * quad);
                },
                [](int, int, int) { return 1.0f; });
        } else {
            dotVector<Type, Tokens, false>(
                sums, bits, factors,
                [&](int t, int quad) { return loadQuad(in.rows[t], k + 4 * quad, rows.cols); },
                [&](int r, int quad, int i) {
                    if (rows.wholeBlocks) return 1.0f;
                    return rows.scale(r, min(k + 4 * quad + i, rows.cols - 1) / rows.blockCols);
                });
        }
        walk.advance();
    }
    return sumOverLanes(sums);
}

/// The same for a type known only when the kernel runs.
template <int Tokens>
GPU_FUNCTION float dotRowsOfAnyType(const Weight& weight, std::int64_t firstRow,
                                    const DotInput<Tokens>& in, int part, int parts) {
    return forType(weight.dtype, [&]<DType Type>() {
        return dotRows<Type, Tokens>(weight, firstRow, in, part, parts);
    });
}

/// Whose product a lane returns.
template <int Tokens>
struct DotLane {
    GPU_FUNCTION DotLane() {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        const int value = lane * (kDotRows * Tokens) / kWarp;
        row = value / Tokens;
        token = value % Tokens;
        first = lane % (kWarp / (kDotRows * Tokens)) == 0;
    }
    int row;
    int token;
    bool first;  ///< of the lanes that hold the same product
};

/// Adds what neighbouring warps of a block hold, `parts` each; to be called by the whole block.
GPU_FUNCTION float sumOverParts(float sum, int parts) {
    if (parts == 1) return sum;
    __shared__ float sums[kDotWarps][kWarp];
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    sums[warp][lane] = sum;
    __syncthreads();
    const int first = warp / parts * parts;
    float total = sums[first][lane];
    for (int part = 1; part < parts; ++part) total += sums[first + part][lane];
    __syncthreads();  // the next call may write again
    return total;
}

/// Which rows, tokens and part of the columns a warp works on, in a grid of
/// dotBlocks() blocks of kDotThreads threads.
template <int Tokens>
struct DotPlace {
    GPU_FUNCTION DotPlace(std::int64_t tokens, int parts) {
        // Blocks that share weights run side by side and read them from memory once.
        const auto chunks = blocksFor(tokens, Tokens);
        const int warp = static_cast<int>(threadIdx.x) / kWarp;
        const int rowGroups = kDotWarps / parts;
        firstToken = static_cast<std::int64_t>(blockIdx.x % chunks) * Tokens;
        firstRow =
            (static_cast<std::int64_t>(blockIdx.x / chunks) * rowGroups + warp / parts) * kDotRows;
        part = warp % parts;
    }
    GPU_FUNCTION DotInput<Tokens> input(const ConstMatrix& in) const {
        DotInput<Tokens> result;
        for (int t = 0; t < Tokens; ++t) result.rows[t] = in.row(min(firstToken + t, in.rows - 1));
        result.aligned = isAligned(in);
        return result;
    }

    std::int64_t firstToken;
    std::int64_t firstRow;
    int part;
};

constexpr unsigned dotBlocks(std::int64_t tokens, int tokensPerWarp, std::int64_t rows, int parts) {
    return blocksFor(tokens, tokensPerWarp) * blocksFor(rows, kDotWarps / parts * kDotRows);
}

/// f.template operator()<Tokens>() for the tokens of a warp.
template <typename F>
void forDotTokens(std::int64_t tokens, const F& f) {
    switch (dotTokens(tokens)) {
        case 1:
            return f.template operator()<1>();
        case 2:
            return f.template operator()<2>();
        case 4:
            return f.template operator()<4>();
        default:
            return f.template operator()<8>();
    }
}

}  // namespace gatescope::cuda
