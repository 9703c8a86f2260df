// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/weight.h"

/// Vectorised inner loops of the CPU operations. Each chooses its instruction set at run time, so
/// one build runs on any x86-64 (or other) machine. The order of every sum depends on the vector
/// width alone, never on how many rows or tokens are computed in one call.
namespace gatescope::simd {

inline constexpr int kMaxTileRows = 8;
inline constexpr int kMaxTileTokens = 4;

/// out[t * outStride + r] = dot(weight row (firstRow + r), xs[t]) for r < rows <= kMaxTileRows and
/// t < tokens <= kMaxTileTokens; xs[t] holds weight.cols values. Float32 accumulation.
void dotTile(const Weight& weight, std::int64_t firstRow, int rows, const float* const* xs,
             int tokens, float* out, std::int64_t outStride);

/// acc[h][i] += sum_j p[h][j] rows[j][i] for h < heads <= 4, j < count in ascending order, i <
/// width.
void weightedSum(float* const* acc, const float* const* p, int heads, const float* rows,
                 std::int64_t rowStride, std::int64_t count, std::int64_t width);

/// out[i] += sum_j q[j] w[firstRow + j][i] for j < rows in ascending order, i < w.cols.
void transposedProduct(float* out, const float* q, const Weight& w, std::int64_t firstRow,
                       std::int64_t rows);

/// Expands one row of a typed weight to float32.
void expandRow(float* out, const Weight& w, std::int64_t row);

void rmsNorm(float* out, const float* in, const float* weight, std::int64_t n, float eps);
void swiglu(float* out, const float* gate, const float* up, std::int64_t n);
void add(float* out, const float* in, std::int64_t n);
/// out += factor * in
void addScaled(float* out, float factor, const float* in, std::int64_t n);
void scale(float* x, float factor, std::int64_t n);
float max(const float* x, std::int64_t n);
/// x[i] = exp(x[i] - shift); returns the sum.
float expSum(float* x, float shift, std::int64_t n);

/// The instruction set in use: "AVX3", "AVX2", "SSE4", ...
const char* targetName();

}  // namespace gatescope::simd
