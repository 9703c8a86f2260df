// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace gatescope {

/// One statistic of the counts that chance alone would give.
struct UniformStatistic {
    double mean = 0;
    double deviation = 0;  ///< standard deviation
    /// 95 % of uniform routers look no less even than this: the 95 % quantile, for the statistics
    /// that fall with imbalance (entropy, effective experts) the 5 % quantile.
    double p95 = 0;
};

/// The null baseline of one layer: a router that chooses k of E experts without replacement, all
/// sets alike, for n independent tokens. Fields as in LoadStatistics. All NaN where n, k or E make
/// no sense.
struct UniformNull {
    int experts = 0;          ///< E
    int topK = 0;             ///< k
    std::int64_t tokens = 0;  ///< n
    UniformStatistic maxVio;
    UniformStatistic minVio;
    UniformStatistic avgVio;
    /// Its mean is sqrt((E - k) / (n k)): the root mean square, which is exact, and for E experts
    /// larger than the mean by about 1 / (4 E) of it.
    UniformStatistic cv;
    UniformStatistic gini;
    UniformStatistic entropy;
    UniformStatistic effectiveExperts;
    double distinct = 0;  ///< expected experts seen, E (1 - (1 - k/E)^n)
    double notSeen = 0;   ///< probability that one expert is not seen, (1 - k/E)^n
};

/// Means are exact but for MaxVio, MinVio and effective experts, which like all deviations and 95 %
/// points are simulated for n up to 512 (fixed seed; a mean is within about 1 %, within 3 % for
/// E < 8) and follow from the counts' limiting distribution beyond. The first call for an (E, k)
/// takes some ten milliseconds, any other well under one. Thread-safe.
UniformNull uniformNull(int experts, int topK, std::int64_t tokens);

/// uniformNull(...).maxVio.mean
double uniformMaxVio(int experts, int topK, std::int64_t tokens);

/// How many steps routed how many tokens together.
struct StepSize {
    std::int64_t tokens = 0;
    std::int64_t steps = 0;

    bool operator==(const StepSize&) const = default;
};

/// The mean over steps of each step's own MaxVio: a mixture over the sizes of the steps, which are
/// taken as independent. NaN without steps.
UniformStatistic uniformStepMaxVio(int experts, int topK, std::span<const StepSize> sizes);

/// The fewest tokens n after which an expert that was never chosen may be called dead: a fair one
/// is missed with probability (1 - k/E)^n <= level / E. 270 for 8 of 256 at 5 %. 0 where every
/// expert is chosen every time or k, E make no sense.
std::int64_t tokensToCallDead(int experts, int topK, double level = 0.05);

}  // namespace gatescope
