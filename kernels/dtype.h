// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace gatescope {

/// Element types a weight may be stored in.
enum class DType : std::uint8_t { F32, BF16, F16, F8E4M3 };

constexpr std::size_t elementSize(DType t) {
    switch (t) {
        case DType::F32:
            return 4;
        case DType::BF16:
        case DType::F16:
            return 2;
        case DType::F8E4M3:
            return 1;
    }
    return 0;
}

/// The name safetensors uses.
constexpr const char* name(DType t) {
    switch (t) {
        case DType::F32:
            return "F32";
        case DType::BF16:
            return "BF16";
        case DType::F16:
            return "F16";
        case DType::F8E4M3:
            return "F8_E4M3";
    }
    return "?";
}

inline float bf16ToFloat(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Round to nearest even; NaN stays NaN.
inline std::uint16_t floatToBf16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
    return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

inline float f16ToFloat(std::uint16_t bits) {
    const int exponent = (bits >> 10) & 31;
    const int mantissa = bits & 1023;
    float magnitude;
    if (exponent == 31) {
        magnitude = mantissa ? std::numeric_limits<float>::quiet_NaN()
                             : std::numeric_limits<float>::infinity();
    } else if (exponent == 0) {
        magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    } else {
        magnitude = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
    }
    return bits & 0x8000 ? -magnitude : magnitude;
}

/// e4m3fn: no infinities, 0x7F and 0xFF are NaN, largest value 448.
inline float f8e4m3ToFloat(std::uint8_t bits) {
    const int exponent = (bits >> 3) & 15;
    const int mantissa = bits & 7;
    float magnitude;
    if (exponent == 15 && mantissa == 7) {
        magnitude = std::numeric_limits<float>::quiet_NaN();
    } else if (exponent == 0) {
        magnitude = std::ldexp(static_cast<float>(mantissa), -9);
    } else {
        magnitude = std::ldexp(static_cast<float>(mantissa + 8), exponent - 10);
    }
    return bits & 0x80 ? -magnitude : magnitude;
}

}  // namespace gatescope
