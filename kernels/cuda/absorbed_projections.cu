// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/absorbed_projections.h"

#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/weight_octet.h"

namespace gatescope::cuda {

namespace {

constexpr int kThreads = 256;
// Tokens that share one reading of a weight.
constexpr int kTokens = 4;
// A block of absorbQueryKernel: that many octets of columns, its threads divide the rows.
constexpr int kOctets = 32;
constexpr int kRowGroups = kThreads / kOctets;
// Rows a thread has under way at once, to hide the latency of memory.
constexpr int kAhead = 4;

GPU_FUNCTION void storeAs(float* out, float value) {
    *out = value;
}

GPU_FUNCTION void storeAs(std::uint16_t* out, float value) {
    *out = toBf16(value);
}

GPU_FUNCTION int tokensFrom(std::int64_t first, std::int64_t tokens) {
    const std::int64_t left = tokens - first;
    return left < kTokens ? static_cast<int>(left) : kTokens;
}

// Sums over the rows rowGroup, rowGroup + kRowGroups, ... of WK_h.
template <DType Type>
GPU_FUNCTION void sumRows(float (&acc)[kTokens][8], const float* q, std::int64_t qStride,
                          int tokens, const Weight& kvB, std::int64_t firstRow, int rows,
                          int rowGroup, int col) {
    for (int d0 = rowGroup; d0 < rows; d0 += kAhead * kRowGroups) {
        float w[kAhead][8] = {};
#pragma unroll
        for (int i = 0; i < kAhead; ++i)
            if (d0 + i * kRowGroups < rows)
                weightOctet<Type>(w[i], kvB, firstRow + d0 + i * kRowGroups, col);
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
            const int d = d0 + i * kRowGroups;
            if (d >= rows) break;
#pragma unroll
            for (int t = 0; t < kTokens; ++t) {
                if (t >= tokens) continue;
                const float x = q[t * qStride + d];
#pragma unroll
                for (int j = 0; j < 8; ++j) acc[t][j] = fmaf(x, w[i][j], acc[t][j]);
            }
        }
    }
}

// Grid: heads, chunks of 8 kOctets columns, groups of kTokens tokens.
template <DType Type, typename Out>
__global__ void __launch_bounds__(kThreads, 2)
    absorbQueryKernel(Out* out, ConstMatrix q, Weight kvB, AttentionShape shape) {
    __shared__ float partial[kRowGroups][kTokens][kOctets * 8];
    const int head = static_cast<int>(blockIdx.x);
    const int octet = static_cast<int>(threadIdx.x) % kOctets;
    const int rowGroup = static_cast<int>(threadIdx.x) / kOctets;
    const int col = (static_cast<int>(blockIdx.y) * kOctets + octet) * 8;
    const std::int64_t first = std::int64_t{blockIdx.z} * kTokens;
    const int tokens = tokensFrom(first, q.rows);
    const float* query = q.row(first) + head * (shape.nopeDim + shape.ropeDim);
    const std::int64_t width = shape.latentDim + shape.ropeDim;
    const std::int64_t outStride = shape.heads * width;
    Out* row = out + first * outStride + head * width;

    float acc[kTokens][8] = {};
    if (col < kvB.cols)
        sumRows<Type>(acc, query, q.stride, tokens, kvB, head * (shape.nopeDim + shape.valueDim),
                      static_cast<int>(shape.nopeDim), rowGroup, col);
#pragma unroll
    for (int t = 0; t < kTokens; ++t)
#pragma unroll
        for (int j = 0; j < 8; ++j) partial[rowGroup][t][octet * 8 + j] = acc[t][j];
    __syncthreads();
    const int firstCol = static_cast<int>(blockIdx.y) * kOctets * 8;
    for (int t = 0; t < tokens; ++t) {
        Out* to = row + t * outStride;
        for (int c = static_cast<int>(threadIdx.x); c < kOctets * 8; c += kThreads) {
            if (firstCol + c >= shape.latentDim) break;
            float sum = partial[0][t][c];
            for (int g = 1; g < kRowGroups; ++g) sum += partial[g][t][c];
            storeAs(to + firstCol + c, sum);
        }
        for (std::int64_t i = threadIdx.x; blockIdx.y == 0 && i < shape.ropeDim; i += kThreads)
            storeAs(to + shape.latentDim + i, query[t * q.stride + shape.nopeDim + i]);
    }
}

// One warp for each row of WV_h; grid: groups of warps, groups of kTokens tokens.
template <DType Type>
__global__ void projectValuesKernel(Matrix out, const float* latent, int pitch, Weight kvB,
                                    AttentionShape shape) {
    const std::int64_t column = std::int64_t{blockIdx.x} * (kThreads / kWarp) + threadIdx.x / kWarp;
    if (column >= shape.heads * shape.valueDim) return;
    const std::int64_t head = column / shape.valueDim;
    const std::int64_t row = column + (head + 1) * shape.nopeDim;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const std::int64_t first = std::int64_t{blockIdx.y} * kTokens;
    const int tokens = tokensFrom(first, out.rows);
    const float* x = latent + (first * shape.heads + head) * pitch;

    float acc[kTokens] = {};
    for (int col = lane * 8; col < kvB.cols; col += kWarp * 8) {
        float w[8];
        weightOctet<Type>(w, kvB, row, col);
#pragma unroll
        for (int t = 0; t < kTokens; ++t) {
            if (t >= tokens) continue;
            const auto* quads = reinterpret_cast<const float4*>(x + t * shape.heads * pitch + col);
            const float4 a = quads[0];
            const float4 b = quads[1];
            acc[t] = fmaf(a.w, w[3], fmaf(a.z, w[2], fmaf(a.y, w[1], fmaf(a.x, w[0], acc[t]))));
            acc[t] = fmaf(b.w, w[7], fmaf(b.z, w[6], fmaf(b.y, w[5], fmaf(b.x, w[4], acc[t]))));
        }
    }
#pragma unroll
    for (int t = 0; t < kTokens; ++t) {
        if (t >= tokens) continue;
        const float sum = warpReduce<Sum>(acc[t]);
        if (lane == 0) out.row(first + t)[column] = sum;
    }
}

template <typename Out>
void launchAbsorb(Out* out, ConstMatrix q, const Weight& kvB, const AttentionShape& shape,
                  cudaStream_t stream) {
    const Grid grid{{static_cast<unsigned>(shape.heads), blocksFor(shape.latentDim, kOctets * 8),
                     blocksFor(q.rows, kTokens)},
                    kThreads};
    forType(kvB.dtype, [&]<DType Type>() {
        launch("absorb queries", absorbQueryKernel<Type, Out>, grid, stream, out, q, kvB, shape);
    });
}

}  // namespace

void absorbQueries(float* out, ConstMatrix q, const Weight& kvB, const AttentionShape& shape,
                   cudaStream_t stream) {
    launchAbsorb(out, q, kvB, shape, stream);
}

void absorbQueries(std::uint16_t* out, ConstMatrix q, const Weight& kvB,
                   const AttentionShape& shape, cudaStream_t stream) {
    launchAbsorb(out, q, kvB, shape, stream);
}

void projectValues(Matrix out, const float* latent, int pitch, const Weight& kvB,
                   const AttentionShape& shape, cudaStream_t stream) {
    const Grid grid{
        {blocksFor(shape.heads * shape.valueDim, kThreads / kWarp), blocksFor(out.rows, kTokens)},
        kThreads};
    forType(kvB.dtype, [&]<DType Type>() {
        launch("project values", projectValuesKernel<Type>, grid, stream, out, latent, pitch, kvB,
               shape);
    });
}

}  // namespace gatescope::cuda
