// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "views/index_ticker.h"
#include "views/plot.h"

namespace gatescope {

/// What the two charts of the Experts view share: axes without ticks, a line of legend above, whole
/// numbers below, keyboard focus.
void setUpExpertsPlot(QCustomPlot* plot, IndexTicker::Steps steps);
/// Where the whole numbers on the x axis end.
void setExpertsPlotEnd(QCustomPlot* plot, double end);

}  // namespace gatescope
