// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/report/figure.h"

namespace gatescope {

/// A figure as an SVG element to stand in an HTML page that has svgStyle() in its style sheet: inks
/// and differences follow the page's theme.
std::string figureSvg(const Figure& figure);

/// Classes and, for both themes, the custom properties that figures use. `--page` and the inks'
/// `--text`, `--muted`, `--line`, `--accent`, `--second`, `--no-data` are for the page, too.
std::string svgStyle();

}  // namespace gatescope
