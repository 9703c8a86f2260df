// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <vector>

namespace gatescope {

/// How a router with less precision than float32 would store bias and choice score.
enum class BiasPrecision {
    Bf16Bias,    ///< b rounded to BF16, s + b in float32
    Bf16Choice,  ///< b rounded to BF16, and s + b too
    F16Bias,     ///< b rounded to F16, s + b in float32
    F16Choice,   ///< b rounded to F16, and s + b too
};
inline constexpr std::size_t kBiasPrecisions = 4;

/// To the nearest BF16 or F16 value, ties to even, as float; beyond the range of F16: infinity.
float roundedToBf16(float value);
float roundedToF16(float value);
float rounded(float value, BiasPrecision precision);
void roundAll(std::span<float> values, BiasPrecision precision);
/// Whether the choice score is rounded too.
bool roundsChoice(BiasPrecision precision);
/// Largest relative error of one rounding of a normal number: 2^-9 for BF16, 2^-12 for F16.
double unitRoundoff(BiasPrecision precision);

/// A layer's bias [E] in each precision, and how far rounding moved it at most.
struct RoundedBias {
    std::array<std::vector<float>, kBiasPrecisions> bias;
    std::array<double, kBiasPrecisions> largestChange{};
};
RoundedBias roundedBias(std::span<const float> bias);

}  // namespace gatescope
