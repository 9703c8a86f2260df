// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <vector>

#include "views/bias_view.h"

namespace gatescope {

/// The name of a kind, as the selector shows it.
QString kindName(BiasDriftKind kind);
/// The axis title: says of which kind the drift is.
QString kindAxis(BiasDriftKind kind);

/// One sentence or two for a kind and a row: what is seen, of how many tokens or snapshots, or why
/// there is nothing.
QString driftNote(const BiasViewValue& value, BiasDriftKind kind, std::size_t row);

/// Drift of a row by expert, empty when this kind has none. For the training history: from the
/// first snapshot to the last. The mean over the experts is removed in every kind.
std::vector<double> driftOf(const BiasViewValue& value, BiasDriftKind kind, std::size_t row);

/// The bias of a row with its mean removed.
std::vector<double> centred(const std::vector<double>& values);

}  // namespace gatescope
