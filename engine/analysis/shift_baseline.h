// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace gatescope {

/// A shift that moves tokens less than this far leaves much of what neighbours share in place.
inline constexpr int kLeastShift = 32;
/// Shifts drawn for one baseline. With fewer than kFewestShifts no p-value could reach 0.05.
inline constexpr int kBaselineShifts = 99;
inline constexpr int kFewestShifts = 19;

/// What the same tokens, in their order, chose in two layers: n rows of k slots, a slot an expert
/// id below `experts` or kNoExpert.
struct PairedChoices {
    int experts = 0;                  ///< E
    int topK = 0;                     ///< k
    std::vector<std::uint16_t> from;  ///< [n * k] in the first layer
    std::vector<std::uint16_t> to;    ///< [n * k] in the second layer

    std::int64_t n() const { return topK > 0 ? static_cast<std::int64_t>(from.size()) / topK : 0; }
};

/// The mutual information of two layers' choices beside what it is when the alignment of the tokens
/// is lost and all else stays. Everything is in nats and NaN where there are too few tokens.
struct ShiftBaseline {
    std::int64_t n = 0;   ///< tokens
    int shifts = 0;       ///< B
    double observed = 0;  ///< plug-in mutual information of the aligned tokens
    double mean = 0;      ///< mean of it over the shifts: what chance alone gives
    double p95 = 0;       ///< its 95 % point: the ceil(0.95 (B + 1))-th smallest
    double pValue = 0;    ///< (1 + shifts with at least the observed one) / (B + 1)

    double excess() const { return observed - mean; }
};

/// Compares with B distinct circular shifts of the second layer: token t's choices in the first
/// layer stand beside those of token (t + s) mod n in the second, s drawn from kLeastShift to
/// n - kLeastShift. Every shift keeps both layers' loads and, but for one seam, the order of the
/// tokens in each: routing of running text is autocorrelated, and shuffling single tokens would
/// lose that and call chance significant. Shuffled blocks would have a seam at every block.
///
/// The null is that neither layer follows the other nor something third in step with it. What both
/// follow (the token itself, the subject of the text) counts as dependence, as it does in the
/// mutual information. The same seed gives the same shifts. With fewer than kFewestShifts possible
/// shifts (n < 2 kLeastShift + kFewestShifts - 1) only n is set and the rest NaN. Takes time B n
/// k^2.
///
/// Each slot must be kNoExpert or below E; `from` and `to` of the same size.
ShiftBaseline shiftBaseline(const PairedChoices& choices, int shifts = kBaselineShifts,
                            std::uint64_t seed = 1);

}  // namespace gatescope
