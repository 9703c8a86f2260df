// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "engine/analysis/comparison.h"

namespace gatescope {

/// What the layers of a pair allow to be said. `selfPA`, `selfPB`: p-values of either run against
/// itself, main layers.
ComparisonVerdict comparisonVerdict(const PairComparison& pair, std::span<const double> selfPA,
                                    std::span<const double> selfPB);

}  // namespace gatescope
