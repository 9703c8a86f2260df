// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>

#include "engine/report/figure.h"

namespace gatescope {

/// Viridis (Smith and van der Walt, CC0): every 17th of its 256 colours, linear between them.
extern const std::array<Rgb, 16> kViridisStops;

/// Half of the diverging scale, from the middle outwards, without the middle itself: blue below,
/// orange above.
struct DivergingScale {
    Rgb middle;
    std::array<Rgb, 8> blue;
    std::array<Rgb, 8> orange;
};
extern const DivergingScale kDivergingLight;
/// For dark pages: the middle recedes there too.
extern const DivergingScale kDivergingDark;

/// Colour of a quantity, t in 0..1 (held to it; NaN is 0), one of 64 steps so that equal ones can
/// be drawn together.
Rgb viridisAt(double t);
/// Colour of a difference, t in -1..1 (held to it), one of 33 steps.
Rgb divergingAt(double t);
/// What stands for the same difference on a dark page; nothing for colours of other scales.
std::optional<Rgb> darkTwin(Rgb light);

}  // namespace gatescope
