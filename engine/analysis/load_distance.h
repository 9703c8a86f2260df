// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace gatescope {

/// How far the loads of one layer's experts in A and B are apart, as sizes of an effect: they say
/// nothing about chance. p = a / sum a, q = b / sum b. NaN where a side has no counts.
struct LoadDistance {
    double totalVariation = 0;  ///< 1/2 sum |p - q|, from 0 to 1
    double cosine = 0;          ///< of the two vectors
    /// Spearman's rank correlation, mid-ranks for ties; NaN where all of one side are alike.
    double spearman = 0;
};

/// Both spans must be equally long.
LoadDistance loadDistance(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

}  // namespace gatescope
