// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <vector>

#include "engine/analysis/comparison.h"
#include "views/compare_aligned_view.h"

namespace gatescope {

/// Everything a comparison shows as JSON; every statistic stands beside its n, what is not defined
/// is null. `aligned` by pair.
QString comparisonJson(const Comparison& comparison, const std::vector<CompareAligned>& aligned);

/// The same numbers in lines: pair, section, layer, expert, statistic, value, n of A, n of B.
QString comparisonCsv(const Comparison& comparison, const std::vector<CompareAligned>& aligned);

/// .json or .csv by the file's extension. Throws Error.
void saveComparison(const Comparison& comparison, const std::vector<CompareAligned>& aligned,
                    const QString& file);

}  // namespace gatescope
