// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_precision.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/dtype.h"

namespace gatescope {

namespace {

bool isBf16(BiasPrecision precision) {
    return precision == BiasPrecision::Bf16Bias || precision == BiasPrecision::Bf16Choice;
}

}  // namespace

float roundedToBf16(float value) {
    return bf16ToFloat(floatToBf16(value));
}

float roundedToF16(float value) {
    const float magnitude = std::abs(value);
    if (!(magnitude < 65520.0F)) {  // half a step above the largest, 65504
        return std::isnan(value) ? value
                                 : std::copysign(std::numeric_limits<float>::infinity(), value);
    }
    if (magnitude < 0x1p-14F) {  // subnormal: multiples of 2^-24
        return std::nearbyint(value * 0x1p24F) * 0x1p-24F;
    }
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return std::bit_cast<float>((bits + 0xFFFU + ((bits >> 13) & 1U)) & ~0x1FFFU);
}

float rounded(float value, BiasPrecision precision) {
    return isBf16(precision) ? roundedToBf16(value) : roundedToF16(value);
}

void roundAll(std::span<float> values, BiasPrecision precision) {
    if (isBf16(precision)) {
        for (float& value : values) {
            value = roundedToBf16(value);
        }
    } else {
        for (float& value : values) {
            value = roundedToF16(value);
        }
    }
}

bool roundsChoice(BiasPrecision precision) {
    return precision == BiasPrecision::Bf16Choice || precision == BiasPrecision::F16Choice;
}

double unitRoundoff(BiasPrecision precision) {
    return isBf16(precision) ? 0x1p-9 : 0x1p-12;
}

RoundedBias roundedBias(std::span<const float> bias) {
    RoundedBias out;
    for (std::size_t p = 0; p < kBiasPrecisions; ++p) {
        for (const float value : bias) {
            const float to = rounded(value, static_cast<BiasPrecision>(p));
            out.bias[p].push_back(to);
            out.largestChange[p] =
                std::max(out.largestChange[p],
                         std::abs(static_cast<double>(to) - static_cast<double>(value)));
        }
    }
    return out;
}

}  // namespace gatescope
