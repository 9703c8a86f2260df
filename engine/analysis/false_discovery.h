// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

namespace gatescope {

/// p-values adjusted by Benjamini and Hochberg (1995): q_(i) = min over j >= i of m p_(j) / j, at
/// most 1. Calling everything with q <= r keeps the expected share of false calls below r. NaN
/// p-values stand for tests that were not made: they stay NaN and do not count in m.
std::vector<double> adjustedPValues(std::span<const double> pValues);

}  // namespace gatescope
