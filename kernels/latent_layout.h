// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gatescope {

/// Element types of the latent KV cache.
enum class CacheType : std::uint8_t {
    F32,
    BF16,
    F8,  ///< e4m3 latent with a float32 scale for every 128 values, BF16 rotary part
};

/// "F32", "BF16", "F8_E4M3".
constexpr const char* name(CacheType type) {
    switch (type) {
        case CacheType::F32:
            return "F32";
        case CacheType::BF16:
            return "BF16";
        case CacheType::F8:
            return "F8_E4M3";
    }
    return "?";
}

/// How one cache row lies in memory: the normalised c_kv [latentDim], then the rotated k_pe
/// [ropeDim], then (F8) the scales. Every part and the row itself begin at a multiple of 16 bytes,
/// but F32 rows are dense: [latentDim + ropeDim] floats.
struct LatentLayout {
    CacheType type = CacheType::F32;
    std::int64_t latentDim = 0;  ///< kv_lora_rank
    std::int64_t ropeDim = 0;    ///< qk_rope_head_dim

    /// Values that share one scale of an F8 row.
    static constexpr std::int64_t kScaleBlock = 128;

    constexpr std::int64_t width() const { return latentDim + ropeDim; }
    constexpr std::int64_t scales() const {
        return type == CacheType::F8 ? (latentDim + kScaleBlock - 1) / kScaleBlock : 0;
    }
    constexpr std::int64_t ropeOffset() const {
        switch (type) {
            case CacheType::F32:
                return latentDim * 4;
            case CacheType::BF16:
                return padded(latentDim * 2);
            case CacheType::F8:
                return padded(latentDim);
        }
        return 0;
    }
    constexpr std::int64_t scaleOffset() const { return ropeOffset() + padded(ropeDim * 2); }
    constexpr std::int64_t rowBytes() const {
        if (type == CacheType::F32) return width() * 4;
        return padded(scaleOffset() + scales() * 4);
    }

  private:
    static constexpr std::int64_t padded(std::int64_t bytes) { return (bytes + 15) / 16 * 16; }
};

}  // namespace gatescope
