// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "views/plot.h"

namespace gatescope {

/// Viridis (Smith and van der Walt, CC0): quantities. NaN is drawn as `nan`.
QCPColorGradient viridis(const QColor& nan = Qt::transparent);

/// Blue, white, orange: differences around zero, for a range symmetric about 0. In dark mode the
/// middle is the window's dark grey, so that "no difference" recedes there too.
QCPColorGradient blueWhiteOrange(bool dark, const QColor& nan = Qt::transparent);

}  // namespace gatescope
