// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace gatescope {

/// How far two count vectors over the same categories (the experts of a layer) are apart. All
/// divergences in bits; NaN where a side has no counts.
struct JensenShannon {
    std::int64_t countA = 0;  ///< N_A: choices, not tokens (tokens times k)
    std::int64_t countB = 0;  ///< N_B
    double equal = 0;         ///< with equal weights: at most 1 bit, for display
    double weighted = 0;      ///< JSD_w, weights N_A and N_B: what a test uses
    double bias = 0;          ///< what JSD_w is expected to be when nothing differs
    double corrected = 0;     ///< weighted - bias; below 0: less apart than chance alone puts them
};

/// H((p + q) / 2) - (H(p) + H(q)) / 2 in bits, p and q the shares of the counts (Lin 1991). Both
/// spans must be equally long; a negative count throws Error.
double jensenShannonDivergence(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

/// H(wp + (1-w)q) - w H(p) - (1-w) H(q) in bits, w = N_A / (N_A + N_B).
double weightedJensenShannonDivergence(std::span<const std::int64_t> a,
                                       std::span<const std::int64_t> b);

/// Expected JSD_w of two samples of one distribution over `categories`, in nats:
/// (E - 1) / (2 (N_A + N_B)). From G = 2 (N_A + N_B) JSD_w being chi-squared with E - 1 degrees of
/// freedom; too large where the counts per category are few.
double jensenShannonBiasNats(int categories, std::int64_t countA, std::int64_t countB);

JensenShannon jensenShannon(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

}  // namespace gatescope
