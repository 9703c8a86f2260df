// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/simd.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/simd.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// Needs highway.h first.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gatescope::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using Vec = hn::Vec<D>;

// Decoders: `N` stored elements to a float vector, without a block scale. Pointers may have any
// alignment; Highway's LoadU asks for none.

struct DecodeF32 {
    using Stored = float;
    static constexpr float kFactor = 1;
    static Vec load(D d, const Stored* p) { return hn::LoadU(d, p); }
};

struct DecodeBf16 {
    using Stored = std::uint16_t;
    static constexpr float kFactor = 1;
    static Vec load(D d, const Stored* p) {
        const hn::RebindToUnsigned<D> du;
        const hn::Rebind<std::uint16_t, D> d16;
        return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(d16, p))));
    }
};

struct DecodeF16 {
    using Stored = std::uint16_t;
    static constexpr float kFactor = 1;
    static Vec load(D d, const Stored* p) {
        const hn::Rebind<std::uint16_t, D> d16;
        const hn::Rebind<hwy::float16_t, D> df16;
        return hn::PromoteTo(d, hn::BitCast(df16, hn::LoadU(d16, p)));
    }
};

// e4m3 has the bits of an f16 shifted right by 7 but for the exponent's bias (7 instead of 15), so
// the f16 conversion gives the value times 2^-8, subnormals included.
struct DecodeF8 {
    using Stored = std::uint8_t;
    static constexpr float kFactor = 256;
    static Vec load(D d, const Stored* p) {
        const hn::Rebind<std::uint8_t, D> d8;
        const hn::Rebind<std::uint16_t, D> d16;
        const hn::Rebind<hwy::float16_t, D> df16;
        const auto wide = hn::PromoteTo(d16, hn::LoadU(d8, p));
        const auto sign = hn::ShiftLeft<8>(hn::And(wide, hn::Set(d16, 0x80)));
        const auto rest = hn::ShiftLeft<7>(hn::And(wide, hn::Set(d16, 0x7F)));
        return hn::PromoteTo(d, hn::BitCast(df16, hn::Or(sign, rest)));
    }
};

// The last elements of a row, fewer than a vector: zero-filled copies.
template <typename Decode>
Vec loadTail(D d, const typename Decode::Stored* p, std::int64_t n) {
    HWY_ALIGN typename Decode::Stored buffer[hn::MaxLanes(D())] = {};
    std::memcpy(buffer, p, static_cast<std::size_t>(n) * sizeof(buffer[0]));
    return Decode::load(d, buffer);
}

template <typename Decode>
const typename Decode::Stored* rowPointer(const Weight& w, std::int64_t row) {
    const auto offset = static_cast<std::size_t>(row * w.cols) * sizeof(typename Decode::Stored);
    return reinterpret_cast<const typename Decode::Stored*>(static_cast<const char*>(w.data) +
                                                            offset);
}

// Columns that share one scale: the whole row for unscaled weights.
inline std::int64_t segmentWidth(const Weight& w) {
    return w.scales ? w.blockCols : w.cols;
}

template <typename Decode>
float blockScale(const Weight& w, std::int64_t row, std::int64_t col) {
    if (!w.scales) return Decode::kFactor;
    return Decode::kFactor * w.scales[row / w.blockRows * w.scaleCols() + col / w.blockCols];
}

// Asks for memory that will be needed soon, one cache line per row of a tile at column k. The rows
// of a tile lie one behind the other and are read criss-cross, which no hardware prefetcher follows
// where rows are short: there the next tile is asked for, line by line in the order of memory. Of a
// long row it is the row itself, further on. (Twice the speed of decoding with rows of 256 values.)
template <typename Decode, int NR>
HWY_INLINE void prefetchAt(const typename Decode::Stored* const* rows, std::int64_t cols,
                           std::int64_t k) {
    constexpr auto kLine = static_cast<std::int64_t>(64 / sizeof(typename Decode::Stored));
    constexpr std::int64_t kShortRow = 32 * kLine;
    constexpr std::int64_t kFurther = 16 * kLine;
    const auto* nextTile = rows[0] + NR * cols;
    for (int r = 0; r < NR; ++r)
        hwy::Prefetch(cols <= kShortRow ? nextTile + k * NR + r * kLine : rows[r] + k + kFurther);
}

// NR weight rows times MR token vectors over whole vectors of columns [k, end).
template <typename Decode, int NR, int MR>
HWY_INLINE void dotVectors(D d, const typename Decode::Stored* const* rows, const Vec* factors,
                           const float* const* xs, std::int64_t k, std::int64_t end,
                           Vec (&acc)[NR][MR]) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (; k < end; k += lanes) {
        Vec w[NR];
        for (int r = 0; r < NR; ++r) {
            w[r] = Decode::load(d, rows[r] + k);
            if constexpr (Decode::kFactor != 1) w[r] = hn::Mul(w[r], factors[r]);
        }
        for (int t = 0; t < MR; ++t) {
            const auto x = hn::LoadU(d, xs[t] + k);
            for (int r = 0; r < NR; ++r) acc[r][t] = hn::MulAdd(w[r], x, acc[r][t]);
        }
    }
}

// NR weight rows times MR token vectors over columns [begin, end), which share their scales.
template <typename Decode, int NR, int MR>
HWY_INLINE void dotSegment(D d, const typename Decode::Stored* const* rows, const float* scales,
                           const float* const* xs, std::int64_t begin, std::int64_t end,
                           std::int64_t cols, Vec (&acc)[NR][MR]) {
    constexpr auto kLine = static_cast<std::int64_t>(64 / sizeof(typename Decode::Stored));
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    Vec factors[NR];
    for (int r = 0; r < NR; ++r) factors[r] = hn::Set(d, scales[r]);
    std::int64_t k = begin;
    const auto stride = std::max(kLine, lanes);
    for (; k + stride <= end; k += stride) {
        prefetchAt<Decode, NR>(rows, cols, k);
        dotVectors<Decode, NR, MR>(d, rows, factors, xs, k, k + stride, acc);
    }
    const auto whole = k + (end - k) / lanes * lanes;
    dotVectors<Decode, NR, MR>(d, rows, factors, xs, k, whole, acc);
    k = whole;
    if (k == end) return;
    for (int t = 0; t < MR; ++t) {
        const auto x = loadTail<DecodeF32>(d, xs[t] + k, end - k);
        for (int r = 0; r < NR; ++r) {
            auto w = loadTail<Decode>(d, rows[r] + k, end - k);
            if constexpr (Decode::kFactor != 1) w = hn::Mul(w, factors[r]);
            acc[r][t] = hn::MulAdd(w, x, acc[r][t]);
        }
    }
}

template <typename Decode, int NR, int MR>
void dotTileOf(const Weight& w, std::int64_t firstRow, const float* const* xs, float* out,
               std::int64_t outStride) {
    const D d;
    Vec acc[NR][MR];
    for (auto& row : acc)
        for (auto& a : row) a = hn::Zero(d);
    const typename Decode::Stored* rows[NR];
    for (int r = 0; r < NR; ++r) rows[r] = rowPointer<Decode>(w, firstRow + r);
    const auto segment = segmentWidth(w);
    for (std::int64_t begin = 0; begin < w.cols; begin += segment) {
        float factors[NR];
        for (int r = 0; r < NR; ++r) factors[r] = blockScale<Decode>(w, firstRow + r, begin);
        dotSegment<Decode, NR, MR>(d, rows, factors, xs, begin, std::min(begin + segment, w.cols),
                                   w.cols, acc);
    }
    for (int t = 0; t < MR; ++t)
        for (int r = 0; r < NR; ++r)
            out[t * outStride + r] = hn::GetLane(hn::SumOfLanes(d, acc[r][t]));
}

template <typename Decode, int NR>
void dotTileRows(const Weight& w, std::int64_t firstRow, const float* const* xs, int tokens,
                 float* out, std::int64_t outStride) {
    switch (tokens) {
        case 1:
            return dotTileOf<Decode, NR, 1>(w, firstRow, xs, out, outStride);
        case 2:
            return dotTileOf<Decode, NR, 2>(w, firstRow, xs, out, outStride);
        case 3:
            return dotTileOf<Decode, NR, 3>(w, firstRow, xs, out, outStride);
        default:
            return dotTileOf<Decode, NR, 4>(w, firstRow, xs, out, outStride);
    }
}

// Wide tiles keep enough multiplications in flight, but no more sums than there are registers for
// (16 of them before AVX-512): 8 rows of one token, 4 of two, fewer of more.
template <typename Decode>
void dotTileTyped(const Weight& w, std::int64_t firstRow, int rows, const float* const* xs,
                  int tokens, float* out, std::int64_t outStride) {
    constexpr int kRowsOfSeveral = HWY_TARGET <= HWY_AVX3 ? 4 : 2;
    int r = 0;
    if (tokens == 1)
        for (; r + 8 <= rows; r += 8)
            dotTileOf<Decode, 8, 1>(w, firstRow + r, xs, out + r, outStride);
    if (tokens <= 2)
        for (; r + 4 <= rows; r += 4)
            dotTileRows<Decode, 4>(w, firstRow + r, xs, tokens, out + r, outStride);
    for (; r + kRowsOfSeveral <= rows; r += kRowsOfSeveral)
        dotTileRows<Decode, kRowsOfSeveral>(w, firstRow + r, xs, tokens, out + r, outStride);
    for (; r < rows; ++r) dotTileRows<Decode, 1>(w, firstRow + r, xs, tokens, out + r, outStride);
}

void DotTile(const Weight& w, std::int64_t firstRow, int rows, const float* const* xs, int tokens,
             float* out, std::int64_t outStride) {
    switch (w.dtype) {
        case DType::F32:
            return dotTileTyped<DecodeF32>(w, firstRow, rows, xs, tokens, out, outStride);
        case DType::BF16:
            return dotTileTyped<DecodeBf16>(w, firstRow, rows, xs, tokens, out, outStride);
        case DType::F16:
            return dotTileTyped<DecodeF16>(w, firstRow, rows, xs, tokens, out, outStride);
        case DType::F8E4M3:
            return dotTileTyped<DecodeF8>(w, firstRow, rows, xs, tokens, out, outStride);
    }
}

template <int Heads>
void weightedSumOf(float* const* acc, const float* const* p, const float* rows,
                   std::int64_t rowStride, std::int64_t count, std::int64_t width) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    std::int64_t i = 0;
    for (; i + lanes <= width; i += lanes) {
        Vec sum[Heads];
        for (int h = 0; h < Heads; ++h) sum[h] = hn::LoadU(d, acc[h] + i);
        for (std::int64_t j = 0; j < count; ++j) {
            const auto row = hn::LoadU(d, rows + j * rowStride + i);
            for (int h = 0; h < Heads; ++h) sum[h] = hn::MulAdd(hn::Set(d, p[h][j]), row, sum[h]);
        }
        for (int h = 0; h < Heads; ++h) hn::StoreU(sum[h], d, acc[h] + i);
    }
    for (; i < width; ++i)
        for (std::int64_t j = 0; j < count; ++j)
            for (int h = 0; h < Heads; ++h) acc[h][i] += p[h][j] * rows[j * rowStride + i];
}

void WeightedSum(float* const* acc, const float* const* p, int heads, const float* rows,
                 std::int64_t rowStride, std::int64_t count, std::int64_t width) {
    if (heads == 4) return weightedSumOf<4>(acc, p, rows, rowStride, count, width);
    for (int h = 0; h < heads; ++h) weightedSumOf<1>(acc + h, p + h, rows, rowStride, count, width);
}

template <typename Decode>
void transposedProductOf(float* out, const float* q, const Weight& w, std::int64_t firstRow,
                         std::int64_t count) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto segment = segmentWidth(w);
    for (std::int64_t j = 0; j < count; ++j) {
        const auto* row = rowPointer<Decode>(w, firstRow + j);
        for (std::int64_t begin = 0; begin < w.cols; begin += segment) {
            const auto end = std::min(begin + segment, w.cols);
            const auto factor = hn::Set(d, blockScale<Decode>(w, firstRow + j, begin));
            const auto qj = hn::Set(d, q[j]);
            std::int64_t k = begin;
            for (; k + lanes <= end; k += lanes) {
                const auto value = hn::Mul(Decode::load(d, row + k), factor);
                hn::StoreU(hn::MulAdd(qj, value, hn::LoadU(d, out + k)), d, out + k);
            }
            if (k == end) continue;
            HWY_ALIGN float tail[hn::MaxLanes(D())];
            hn::Store(hn::Mul(loadTail<Decode>(d, row + k, end - k), factor), d, tail);
            for (std::int64_t i = 0; k + i < end; ++i) out[k + i] += q[j] * tail[i];
        }
    }
}

void TransposedProduct(float* out, const float* q, const Weight& w, std::int64_t firstRow,
                       std::int64_t rows) {
    switch (w.dtype) {
        case DType::F32:
            return transposedProductOf<DecodeF32>(out, q, w, firstRow, rows);
        case DType::BF16:
            return transposedProductOf<DecodeBf16>(out, q, w, firstRow, rows);
        case DType::F16:
            return transposedProductOf<DecodeF16>(out, q, w, firstRow, rows);
        case DType::F8E4M3:
            return transposedProductOf<DecodeF8>(out, q, w, firstRow, rows);
    }
}

void ExpandRow(float* out, const Weight& w, std::int64_t row) {
    std::fill_n(out, w.cols, 0.0f);
    const float one = 1;
    TransposedProduct(out, &one, w, row, 1);
}

void RmsNorm(float* out, const float* in, const float* weight, std::int64_t n, float eps) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto squares = hn::Zero(d);
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const auto x = hn::LoadU(d, in + i);
        squares = hn::MulAdd(x, x, squares);
    }
    float sum = hn::GetLane(hn::SumOfLanes(d, squares));
    for (; i < n; ++i) sum += in[i] * in[i];
    // Squares that overflow would make the row silently 0; NaN reaches the logits and is reported.
    const float factor = std::isfinite(sum) ? 1.0f / std::sqrt(sum / static_cast<float>(n) + eps)
                                            : std::numeric_limits<float>::quiet_NaN();
    const auto factors = hn::Set(d, factor);
    for (i = 0; i + lanes <= n; i += lanes)
        hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, in + i), factors), hn::LoadU(d, weight + i)), d,
                   out + i);
    for (; i < n; ++i) out[i] = in[i] * factor * weight[i];
}

// Runs op on whole vectors and once more on a zero-filled tail, so that a value does not depend on
// where in the row it stands.
template <typename Op>
HWY_INLINE void forEachVector(std::int64_t n, const Op& op) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) op(d, i, lanes);
    if (i < n) op(d, i, n - i);
}

inline Vec loadUpTo(D d, const float* p, std::int64_t n) {
    return n == static_cast<std::int64_t>(hn::Lanes(d)) ? hn::LoadU(d, p)
                                                        : loadTail<DecodeF32>(d, p, n);
}

inline void storeUpTo(Vec v, D d, float* p, std::int64_t n) {
    if (n == static_cast<std::int64_t>(hn::Lanes(d))) return hn::StoreU(v, d, p);
    HWY_ALIGN float buffer[hn::MaxLanes(D())];
    hn::Store(v, d, buffer);
    std::memcpy(p, buffer, static_cast<std::size_t>(n) * sizeof(float));
}

void Swiglu(float* out, const float* gate, const float* up, std::int64_t n) {
    forEachVector(n, [&](D d, std::int64_t i, std::int64_t count) {
        const auto g = loadUpTo(d, gate + i, count);
        const auto u = loadUpTo(d, up + i, count);
        const auto one = hn::Set(d, 1.0f);
        // Highway's Exp is defined up to 104 only, so the exponent is kept negative.
        const auto e = hn::Exp(d, hn::Neg(hn::Abs(g)));
        const auto sigmoid =
            hn::Div(hn::IfThenElse(hn::Ge(g, hn::Zero(d)), one, e), hn::Add(one, e));
        storeUpTo(hn::Mul(hn::Mul(g, sigmoid), u), d, out + i, count);
    });
}

void Add(float* out, const float* in, std::int64_t n) {
    forEachVector(n, [&](D d, std::int64_t i, std::int64_t count) {
        storeUpTo(hn::Add(loadUpTo(d, out + i, count), loadUpTo(d, in + i, count)), d, out + i,
                  count);
    });
}

void AddScaled(float* out, float factor, const float* in, std::int64_t n) {
    forEachVector(n, [&](D d, std::int64_t i, std::int64_t count) {
        const auto sum =
            hn::MulAdd(hn::Set(d, factor), loadUpTo(d, in + i, count), loadUpTo(d, out + i, count));
        storeUpTo(sum, d, out + i, count);
    });
}

void Scale(float* x, float factor, std::int64_t n) {
    forEachVector(n, [&](D d, std::int64_t i, std::int64_t count) {
        storeUpTo(hn::Mul(loadUpTo(d, x + i, count), hn::Set(d, factor)), d, x + i, count);
    });
}

float Max(const float* x, std::int64_t n) {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto largest = hn::Set(d, -std::numeric_limits<float>::infinity());
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) largest = hn::Max(largest, hn::LoadU(d, x + i));
    float result = hn::GetLane(hn::MaxOfLanes(d, largest));
    for (; i < n; ++i) result = std::max(result, x[i]);
    return result;
}

float ExpSum(float* x, float shift, std::int64_t n) {
    float sum = 0;
    const D outer;
    auto sums = hn::Zero(outer);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(outer));
    forEachVector(n, [&](D d, std::int64_t i, std::int64_t count) {
        const auto e = hn::Exp(d, hn::Sub(loadUpTo(d, x + i, count), hn::Set(d, shift)));
        storeUpTo(e, d, x + i, count);
        if (count == lanes) {
            sums = hn::Add(sums, e);
        } else {
            for (std::int64_t j = 0; j < count; ++j) sum += x[i + j];
        }
    });
    return hn::GetLane(hn::SumOfLanes(outer, sums)) + sum;
}

const char* TargetName() {
    return hwy::TargetName(HWY_TARGET);
}

}  // namespace gatescope::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatescope::simd {

HWY_EXPORT(DotTile);
HWY_EXPORT(WeightedSum);
HWY_EXPORT(TransposedProduct);
HWY_EXPORT(ExpandRow);
HWY_EXPORT(RmsNorm);
HWY_EXPORT(Swiglu);
HWY_EXPORT(Add);
HWY_EXPORT(AddScaled);
HWY_EXPORT(Scale);
HWY_EXPORT(Max);
HWY_EXPORT(ExpSum);
HWY_EXPORT(TargetName);

void dotTile(const Weight& weight, std::int64_t firstRow, int rows, const float* const* xs,
             int tokens, float* out, std::int64_t outStride) {
    HWY_DYNAMIC_DISPATCH(DotTile)(weight, firstRow, rows, xs, tokens, out, outStride);
}

void weightedSum(float* const* acc, const float* const* p, int heads, const float* rows,
                 std::int64_t rowStride, std::int64_t count, std::int64_t width) {
    HWY_DYNAMIC_DISPATCH(WeightedSum)(acc, p, heads, rows, rowStride, count, width);
}

void transposedProduct(float* out, const float* q, const Weight& w, std::int64_t firstRow,
                       std::int64_t rows) {
    HWY_DYNAMIC_DISPATCH(TransposedProduct)(out, q, w, firstRow, rows);
}

void expandRow(float* out, const Weight& w, std::int64_t row) {
    HWY_DYNAMIC_DISPATCH(ExpandRow)(out, w, row);
}

void rmsNorm(float* out, const float* in, const float* weight, std::int64_t n, float eps) {
    HWY_DYNAMIC_DISPATCH(RmsNorm)(out, in, weight, n, eps);
}

void swiglu(float* out, const float* gate, const float* up, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(Swiglu)(out, gate, up, n);
}

void add(float* out, const float* in, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(Add)(out, in, n);
}

void addScaled(float* out, float factor, const float* in, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(AddScaled)(out, factor, in, n);
}

void scale(float* x, float factor, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(Scale)(x, factor, n);
}

float max(const float* x, std::int64_t n) {
    return HWY_DYNAMIC_DISPATCH(Max)(x, n);
}

float expSum(float* x, float shift, std::int64_t n) {
    return HWY_DYNAMIC_DISPATCH(ExpSum)(x, shift, n);
}

const char* targetName() {
    return HWY_DYNAMIC_DISPATCH(TargetName)();
}

}  // namespace gatescope::simd
#endif  // HWY_ONCE
