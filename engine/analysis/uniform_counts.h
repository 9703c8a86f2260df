// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gatescope {

/// Of one extreme of the counts, as MaxVio or MinVio.
struct ExtremeVio {
    double mean = 0;
    double p95 = 0;
};

/// What follows from the distribution of the counts under a uniform router without simulation.
/// Every count is Bin(n, k/E), and the difference of two of them a walk of n steps; expectations of
/// sums over experts are therefore exact.
struct UniformCountMeans {
    double avgVio = 0;
    double gini = 0;
    double unevenness = 0;  ///< 1 - normalised entropy
};
/// 1 <= topK < experts, n >= 1. At most a few tenths of a millisecond: where a variance passes
/// 20 000 the limit for large n serves, whose error is then below 10^-4 of the result.
UniformCountMeans uniformCountMeans(int experts, int topK, std::int64_t tokens);

struct UniformExtremes {
    ExtremeVio largest;   ///< MaxVio
    ExtremeVio smallest;  ///< MinVio
};
/// For many tokens (some 500), when nothing but their fixed sum ties the counts together.
UniformExtremes uniformExtremes(int experts, int topK, std::int64_t tokens);

}  // namespace gatescope
