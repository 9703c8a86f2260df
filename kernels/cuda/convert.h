// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cuda/gpu.h"
#include "kernels/weight.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#endif

// Between stored types and float32. Every conversion to a wider type is exact; those to a narrower
// one round to nearest, ties to even. The values are those of kernels/dtype.h.

namespace gatescope::cuda {

// --- single values
// ---------------------------------------------------------------------------------

GPU_FUNCTION float fromBf16(std::uint16_t bits) {
    return __uint_as_float(static_cast<std::uint32_t>(bits) << 16);
}

GPU_FUNCTION float fromF16(std::uint16_t bits) {
#ifdef __CUDACC__
    return __half2float(__ushort_as_half(bits));
#else
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t magnitude = bits & 0x7FFFu;
    if (magnitude >= 0x7C00u)
        return __uint_as_float(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13);
    // The exponent's bias is 112 less than float's; the product makes subnormals right as well.
    return __uint_as_float(sign | __float_as_uint(__uint_as_float(magnitude << 13) * 0x1p112f));
#endif
}

/// NaN becomes some NaN.
GPU_FUNCTION std::uint16_t toBf16(float value) {
#ifdef __CUDACC__
    return __bfloat16_as_ushort(__float2bfloat16_rn(value));
#else
    return floatToBf16(value);
#endif
}

/// Two values as they lie in memory, `first` at the lower address.
GPU_FUNCTION std::uint32_t toBf16Pair(float first, float second) {
#ifdef __CUDACC__
    const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
    return static_cast<std::uint32_t>(__bfloat16_as_ushort(pair.y)) << 16 |
           __bfloat16_as_ushort(pair.x);
#else
    return static_cast<std::uint32_t>(toBf16(second)) << 16 | toBf16(first);
#endif
}

/// Saturates at 448; NaN stays NaN.
GPU_FUNCTION std::uint8_t toE4m3(float value) {
    const std::uint32_t bits = __float_as_uint(value);
    const auto sign = static_cast<std::uint8_t>(bits >> 24 & 0x80u);
    const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
    std::uint32_t result;
    if (magnitude > 0x7F800000u) {
        result = 0x7F;
    } else if (magnitude < 0x3C800000u) {
        // Below the smallest normal number, 2^-6: 2^14 is so large that the sum keeps nothing
        // smaller than the unit of subnormals, 2^-9.
        result = __float_as_uint(__uint_as_float(magnitude) + 16384.0f) - 0x46800000u;
    } else {
        // Rounded to 3 bits of mantissa, with the exponent's bias changed from 127 to 7.
        const std::uint32_t rounded = (magnitude + 0x7FFFFu + (magnitude >> 20 & 1)) >> 20;
        result = rounded - (120u << 3);
        if (result > 0x7Eu) result = 0x7E;
    }
    return static_cast<std::uint8_t>(sign | result);
}

// --- pairs
// -----------------------------------------------------------------------------------------

/// Two F16 values, the lower half first.
GPU_FUNCTION void f16PairToFloat(std::uint32_t bits, float& first, float& second) {
#ifdef __CUDACC__
    const float2 pair =
        __half22float2(__halves2half2(__ushort_as_half(static_cast<std::uint16_t>(bits & 0xFFFFu)),
                                      __ushort_as_half(static_cast<std::uint16_t>(bits >> 16))));
    first = pair.x;
    second = pair.y;
#else
    first = fromF16(static_cast<std::uint16_t>(bits & 0xFFFFu));
    second = fromF16(static_cast<std::uint16_t>(bits >> 16));
#endif
}

/// Bytes 0 and 1 of `bytes` (or 2 and 3, `upper`) in the upper bytes of the two halves.
GPU_FUNCTION std::uint32_t spreadBytes(std::uint32_t bytes, bool upper) {
#ifdef __CUDACC__
    return __byte_perm(bytes, 0, upper ? 0x3424 : 0x1404);
#else
    const std::uint32_t pair = upper ? bytes >> 16 : bytes & 0xFFFFu;
    return (pair & 0xFF00u) << 16 | (pair & 0xFFu) << 8;
#endif
}

/// Bytes 0 and 1 (or 2 and 3) of four E4M3 values.
GPU_FUNCTION void e4m3PairToFloat(std::uint32_t bytes, bool upper, float& first, float& second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
    const auto pair = static_cast<__nv_fp8x2_storage_t>(upper ? bytes >> 16 : bytes & 0xFFFFu);
    const float2 values = __half22float2(__nv_cvt_fp8x2_to_halfraw2(pair, __NV_E4M3));
    first = values.x;
    second = values.y;
#else
    // e4m3 has the bits of an f16 shifted right by 7, but for the exponent's bias (7 instead of
    // 15): the f16 is worth 2^-8 of it, subnormals included. The sum carries into bit 14 for 0x7F
    // alone and makes it an f16 NaN.
    const std::uint32_t spread = spreadBytes(bytes, upper);
    const std::uint32_t magnitude = (spread & 0x7F007F00u) >> 1;
    const std::uint32_t nan = (magnitude + 0x00800080u) & 0x40004000u;
    f16PairToFloat((spread & 0x80008000u) | magnitude | nan, first, second);
    first *= 256.0f;
    second *= 256.0f;
#endif
}

GPU_FUNCTION float fromE4m3(std::uint8_t bits) {
    float value, unused;
    e4m3PairToFloat(bits, false, value, unused);
    return value;
}

/// Two E4M3 values as BF16, which holds each of them exactly. The NaN patterns, which no weight
/// has, become 480.
GPU_FUNCTION std::uint32_t e4m3PairToBf16(std::uint32_t bytes, bool upper) {
    // As above: e4m3 has the bits of a bf16 shifted right by 4, worth 2^-120 of it.
    const std::uint32_t spread = spreadBytes(bytes, upper);
    const std::uint32_t pair = (spread & 0x80008000u) | (spread >> 4 & 0x07F007F0u);
#ifdef __CUDACC__
    const __nv_bfloat16 factor = __ushort_as_bfloat16(0x7B80);
    const __nv_bfloat162 product =
        __hmul2(__halves2bfloat162(__ushort_as_bfloat16(static_cast<std::uint16_t>(pair & 0xFFFFu)),
                                   __ushort_as_bfloat16(static_cast<std::uint16_t>(pair >> 16))),
                __halves2bfloat162(factor, factor));
    return static_cast<std::uint32_t>(__bfloat16_as_ushort(product.y)) << 16 |
           __bfloat16_as_ushort(product.x);
#else
    const float first = __uint_as_float(pair << 16) * 0x1p120f;
    const float second = __uint_as_float(pair & 0xFFFF0000u) * 0x1p120f;
    return toBf16Pair(first, second);
#endif
}

// --- 16-byte vectors of stored elements
// --------------------------------------------------------------

/// Elements of a 16-byte vector.
template <DType Type>
inline constexpr int kVectorElements = static_cast<int>(16 / elementSize(Type));

GPU_FUNCTION std::uint32_t wordOf(const uint4& vector, int i) {
    return i == 0 ? vector.x : i == 1 ? vector.y : i == 2 ? vector.z : vector.w;
}

/// Elements 4 * quad .. 4 * quad + 3 of a vector, without a block scale.
template <DType Type>
GPU_FUNCTION void decodeQuad(const uint4& vector, int quad, float (&values)[4]) {
    if constexpr (Type == DType::F32) {
#pragma unroll
        for (int i = 0; i < 4; ++i) values[i] = __uint_as_float(wordOf(vector, i));
    } else if constexpr (Type == DType::BF16) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const std::uint32_t word = wordOf(vector, 2 * quad + i);
            values[2 * i] = __uint_as_float(word << 16);
            values[2 * i + 1] = __uint_as_float(word & 0xFFFF0000u);
        }
    } else if constexpr (Type == DType::F16) {
#pragma unroll
        for (int i = 0; i < 2; ++i)
            f16PairToFloat(wordOf(vector, 2 * quad + i), values[2 * i], values[2 * i + 1]);
    } else {
        const std::uint32_t word = wordOf(vector, quad);
        e4m3PairToFloat(word, false, values[0], values[1]);
        e4m3PairToFloat(word, true, values[2], values[3]);
    }
}

/// All elements of a vector, without a block scale.
template <DType Type>
GPU_FUNCTION void decodeVector(const uint4& vector, float (&values)[kVectorElements<Type>]) {
#pragma unroll
    for (int quad = 0; quad < kVectorElements<Type> / 4; ++quad) {
        float part[4];
        decodeQuad<Type>(vector, quad, part);
#pragma unroll
        for (int i = 0; i < 4; ++i) values[4 * quad + i] = part[i];
    }
}

/// All elements of a vector as pairs of BF16, rounded, without a block scale.
template <DType Type>
GPU_FUNCTION void decodeToBf16(const uint4& vector,
                               std::uint32_t (&pairs)[kVectorElements<Type> / 2]) {
    if constexpr (Type == DType::BF16) {
#pragma unroll
        for (int i = 0; i < 4; ++i) pairs[i] = wordOf(vector, i);
    } else if constexpr (Type == DType::F8E4M3) {
#pragma unroll
        for (int i = 0; i < 8; ++i) pairs[i] = e4m3PairToBf16(wordOf(vector, i / 2), i % 2 == 1);
    } else {
        float values[kVectorElements<Type>];
        decodeVector<Type>(vector, values);
#pragma unroll
        for (int i = 0; i < kVectorElements<Type> / 2; ++i)
            pairs[i] = toBf16Pair(values[2 * i], values[2 * i + 1]);
    }
}

// --- elements of a weight
// ----------------------------------------------------------------------------

/// The start of a row, a multiple of 16 bytes.
template <DType Type>
GPU_FUNCTION const std::byte* rowBytes(const Weight& weight, std::int64_t row) {
    return static_cast<const std::byte*>(weight.data) +
           row * weight.stride() * static_cast<std::int64_t>(elementSize(Type));
}

/// Which block of `blockSize` an index below 2^32 is in; a GPU divides 64-bit numbers slowly.
GPU_FUNCTION std::int64_t blockOf(std::int64_t index, int blockSize) {
    return static_cast<std::uint32_t>(index) / static_cast<std::uint32_t>(blockSize);
}

/// 1 for a weight without scales.
GPU_FUNCTION float blockScale(const Weight& weight, std::int64_t row, std::int64_t col) {
    if (!weight.scales) return 1.0f;
    return weight
        .scales[blockOf(row, weight.blockRows) * (blockOf(weight.cols - 1, weight.blockCols) + 1) +
                blockOf(col, weight.blockCols)];
}

/// One stored element, without a block scale.
template <DType Type>
GPU_FUNCTION float loadElement(const void* row, std::int64_t i) {
    if constexpr (Type == DType::F32) return static_cast<const float*>(row)[i];
    if constexpr (Type == DType::BF16) return fromBf16(static_cast<const std::uint16_t*>(row)[i]);
    if constexpr (Type == DType::F16) return fromF16(static_cast<const std::uint16_t*>(row)[i]);
    if constexpr (Type == DType::F8E4M3) return fromE4m3(static_cast<const std::uint8_t*>(row)[i]);
}

/// One value of a weight, block scale included.
template <DType Type>
GPU_FUNCTION float loadWeight(const Weight& weight, std::int64_t row, std::int64_t col) {
    return loadElement<Type>(rowBytes<Type>(weight, row), col) * blockScale(weight, row, col);
}

/// f.template operator()<Type>() for a type known only when the program runs; host or device.
template <typename F>
constexpr auto forType(DType type, const F& f) {
    switch (type) {
        case DType::BF16:
            return f.template operator()<DType::BF16>();
        case DType::F16:
            return f.template operator()<DType::F16>();
        case DType::F8E4M3:
            return f.template operator()<DType::F8E4M3>();
        default:
            return f.template operator()<DType::F32>();
    }
}

}  // namespace gatescope::cuda
