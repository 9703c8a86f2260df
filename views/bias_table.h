// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <vector>

#include "engine/analysis/bias_counter.h"
#include "views/number_table.h"

namespace gatescope {

/// What the bias decides, one row per router; every figure with its definition as a tooltip.
QStringList biasTableHeader();
std::vector<std::vector<NumberCell>> biasTableRows(const BiasDiagnostics& diagnostics);

/// "3", and "6 (MTP)" for the MTP layer.
QString routerName(int layer, bool mtp);

}  // namespace gatescope
