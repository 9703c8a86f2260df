// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/report/figure.h"
#include "engine/report/typesetter.h"

namespace gatescope {

/// Draws a figure on paper with its upper left corner at the origin, in points of the present
/// transformation. Throws Error, naming the figure's title, where a number is not finite or lies
/// far off any page, or a grid has not as many cells as it says.
void drawFigure(cairo_t* cairo, const Figure& figure, const Typesetter& typesetter);

/// Throws what drawFigure would throw.
void checkFigure(const Figure& figure);

}  // namespace gatescope
