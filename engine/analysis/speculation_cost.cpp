// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/speculation_stats.h"

#include <cmath>
#include <limits>

namespace gatescope {

double expectedTokens(double acceptance, int depth) {
    double tokens = 1;
    for (int i = 0; i < depth; ++i) {
        tokens = 1 + acceptance * tokens;  // Horner: no division by 1 - alpha
    }
    return tokens;
}

double acceptanceFor(double tokens, int depth) {
    if (std::isnan(tokens)) {
        return tokens;
    }
    if (tokens <= 1) {
        return 0;
    }
    if (tokens > expectedTokens(1, depth)) {
        return std::numeric_limits<double>::infinity();
    }
    double low = 0;
    double high = 1;
    while (true) {
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) {
            break;
        }
        (expectedTokens(middle, depth) < tokens ? low : high) = middle;
    }
    return high;
}

double breakEvenAcceptance(int depth, double draftCost, double verifyCost) {
    return acceptanceFor(depth * draftCost + verifyCost, depth);
}

}  // namespace gatescope
