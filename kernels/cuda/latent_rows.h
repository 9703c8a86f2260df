// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

#include "kernels/cuda/convert.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/weight_octet.h"
#include "kernels/latent_layout.h"

// Rows of the latent cache in each of its types. A row is the latent c_kv [latentDim] and the
// rotated k_pe [ropeDim]; here they count as one vector [latentDim + ropeDim].

namespace gatescope::cuda {

/// Values handled at a time where 16-byte loads are wanted.
inline constexpr int kOctet = 8;

/// Calls f with the type as a compile-time constant.
template <typename F>
void withCacheType(CacheType type, const F& f) {
    switch (type) {
        case CacheType::F32:
            return f(std::integral_constant<CacheType, CacheType::F32>{});
        case CacheType::BF16:
            return f(std::integral_constant<CacheType, CacheType::BF16>{});
        case CacheType::F8:
            return f(std::integral_constant<CacheType, CacheType::F8>{});
    }
}

/// Stores value i of the latent or the rotary part of a row; the latent of an F8 row is stored
/// otherwise, because its values share scales.
template <CacheType Type>
GPU_FUNCTION void storeRowValue(std::byte* part, std::int64_t i, float value) {
    if constexpr (Type == CacheType::F32) {
        reinterpret_cast<float*>(part)[i] = value;
    } else {
        reinterpret_cast<std::uint16_t*>(part)[i] = toBf16(value);
    }
}

/// Value i of [c_kv ; k_pe].
template <CacheType Type>
GPU_FUNCTION float latentRowValue(const std::byte* row, const LatentLayout& layout, int i) {
    if constexpr (Type == CacheType::F32) {
        return reinterpret_cast<const float*>(row)[i];
    } else {
        const int latentDim = static_cast<int>(layout.latentDim);
        if (i >= latentDim)
            return fromBf16(
                reinterpret_cast<const std::uint16_t*>(row + layout.ropeOffset())[i - latentDim]);
        if constexpr (Type == CacheType::BF16) {
            return fromBf16(reinterpret_cast<const std::uint16_t*>(row)[i]);
        } else {
            const auto* scales = reinterpret_cast<const float*>(row + layout.scaleOffset());
            return fromE4m3(reinterpret_cast<const std::uint8_t*>(row)[i]) *
                   scales[i / LatentLayout::kScaleBlock];
        }
    }
}

/// Values i to i + 7 of [c_kv ; k_pe] as BF16, packed in ascending order. i, latentDim and ropeDim
/// are multiples of 8, the row begins at a multiple of 16 bytes.
template <CacheType Type>
GPU_FUNCTION uint4 latentRowOctet(const std::byte* row, const LatentLayout& layout, int i) {
    const int latentDim = static_cast<int>(layout.latentDim);
    if constexpr (Type == CacheType::F32) {
        const auto* values = reinterpret_cast<const float4*>(row) + i / 4;
        const float4 a = values[0];
        const float4 b = values[1];
        return make_uint4(toBf16Pair(a.x, a.y), toBf16Pair(a.z, a.w), toBf16Pair(b.x, b.y),
                          toBf16Pair(b.z, b.w));
    } else {
        if (i >= latentDim)
            return reinterpret_cast<const uint4*>(row + layout.ropeOffset())[(i - latentDim) / 8];
        if constexpr (Type == CacheType::BF16) {
            return reinterpret_cast<const uint4*>(row)[i / 8];
        } else {
            const float scale = reinterpret_cast<const float*>(
                row + layout.scaleOffset())[i / LatentLayout::kScaleBlock];
            const uint2 bytes = reinterpret_cast<const uint2*>(row)[i / 8];
            float v[kOctet];
            e4m3Octet(v, bytes);
            return make_uint4(
                toBf16Pair(v[0] * scale, v[1] * scale), toBf16Pair(v[2] * scale, v[3] * scale),
                toBf16Pair(v[4] * scale, v[5] * scale), toBf16Pair(v[6] * scale, v[7] * scale));
        }
    }
}

}  // namespace gatescope::cuda
