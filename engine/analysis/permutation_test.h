// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/analysis/comparison_units.h"

namespace gatescope {

/// What exchanging the units' labels says about every row and every expert. Rows as in
/// ComparisonUnits; NaN where a row has no choices on a side.
struct PermutationTest {
    /// [rows] T in bits: sum over strata of N_s / N times the JSD_w of the two sides in stratum s.
    std::vector<double> observed;
    std::vector<double> nullMean;  ///< [rows] of T over the permutations
    std::vector<double> nullP95;
    /// [rows] (1 + #{T* >= T}) / (B + 1); where every assignment was tried #{T* >= T} / B. NaN
    /// where nothing can be exchanged.
    std::vector<double> pValue;
    /// [rows * E] of each expert, summed over the strata: choices of the first side less those
    /// expected with the stratum's share, over the standard deviation that this has when labels
    /// are exchanged. 0 for an expert nobody chose. Empty unless asked for.
    std::vector<double> scores;
    /// [rows * E] p of |score| among the permutations' largest |score| over all rows and experts
    /// (single-step maxT, Westfall and Young 1993): family-wise. Empty unless asked for.
    std::vector<double> adjusted;
};

struct PermutationOptions {
    bool experts = false;  ///< scores and their adjusted p-values
    int threads = 0;       ///< 0: all there are; changes no number
    /// Called on the caller's thread with the permutations done so far; false cancels.
    std::function<bool(std::int64_t done)> progress;
};

/// `labels` over the units; units in none of its groups take no part. Throws Cancelled, and Error
/// beyond 2^29 choices in a row.
PermutationTest permutationTest(const ComparisonUnits& units, const UnitLabels& labels,
                                const PermutationOptions& options = {});

}  // namespace gatescope
