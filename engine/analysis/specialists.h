// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "engine/analysis/specialisation.h"

namespace gatescope {

// The parts of SpecialisationCounter::value that only need the counts of a value.

/// Experts whose affinity to one domain is their highest, is at least rule.leastRatio times their
/// mean affinity to the others, and is so significantly: under the null hypothesis that an expert's
/// choices fall on the domains in proportion to their tokens, its count in a domain is Bin(c_i, n_d
/// / n); the exact upper tail is adjusted after Benjamini and Hochberg (1995) over experts x layers
/// x domains, the MTP layer being a family of its own. Tokens of a text are not independent, so
/// that these p-values are too small; a specialist is called replicated only if all of it holds in
/// each half of the prompts, which share none. Replicated ones first, then by ratio; without names.
std::vector<Specialist> findSpecialists(const SpecialisationValue& value);

/// Of each row, between the two halves.
std::vector<Replication> replicationOf(const SpecialisationValue& value);

/// Of each row, over all pairs of domains with tokens.
std::vector<DomainDivergence> divergenceOf(const SpecialisationValue& value);

/// Pearson's and Spearman's (mean ranks for ties) correlation; NaN where a side does not vary.
double pearson(std::span<const double> a, std::span<const double> b);
double spearman(std::span<const double> a, std::span<const double> b);

}  // namespace gatescope
