// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

class QCustomPlot;

namespace gatescope {

/// Puts the plot's legend into a row of its own above the picture, at the left, in columns; `wrap`
/// > 0: so many to a line. After everything that is listed in it was added.
void placeLegendOnTop(QCustomPlot* plot, int wrap = 0);

}  // namespace gatescope
