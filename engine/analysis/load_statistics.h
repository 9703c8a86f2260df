// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace gatescope {

/// How evenly choices fall on the E experts of one layer. c_i: times expert i was chosen,
/// N = sum c_i, p_i = c_i / N, q_i = E p_i (1 is the fair share). Everything but `choices` and
/// `distinct` is NaN for N = 0; dimensionless.
struct LoadStatistics {
    std::int64_t choices = 0;     ///< N
    int distinct = 0;             ///< experts with c_i > 0
    double maxVio = 0;            ///< max q - 1 (Wang et al. 2024, "maximal violation")
    double minVio = 0;            ///< 1 - min q
    double avgVio = 0;            ///< mean |q - 1|
    double cv = 0;                ///< population standard deviation of c / mean of c
    double gini = 0;              ///< 2 sum j c_(j) / (E N) - (E + 1) / E, c_(1) the smallest
    double entropy = 0;           ///< - sum p ln p / ln E: 1 is even; NaN for E = 1
    double effectiveExperts = 0;  ///< exp(- sum p ln p), from 1 to E
};

/// `counts`: c, [E]. Throws Error for a negative count or a sum beyond 2^63.
LoadStatistics loadStatistics(std::span<const std::int64_t> counts);

}  // namespace gatescope
