// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <vector>

#include "engine/analysis/comparison.h"
#include "views/number_table.h"

namespace gatescope {

using TableRows = std::vector<std::vector<NumberCell>>;

/// Layers in the order of the model, the MTP layer last. Those beyond chance carry a diamond.
QStringList compareLayersHeader(const Comparison& comparison, const PairComparison& pair);
TableRows compareLayerRows(const PairComparison& pair);

/// As PairComparison::experts: strongest first.
QStringList compareExpertsHeader(const Comparison& comparison, const PairComparison& pair);
TableRows compareExpertRows(const PairComparison& pair);

/// A line for each figure, a column for each run; every figure with its n.
QStringList compareRunsHeader(const Comparison& comparison);
TableRows compareRunRows(const Comparison& comparison);

/// A line for each kind of token: how many on either side, and whether they were compared.
QStringList compareStrataHeader(const Comparison& comparison, const PairComparison& pair);
TableRows compareStratumRows(const PairComparison& pair);

}  // namespace gatescope
