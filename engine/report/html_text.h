// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "engine/report/visible_text.h"

namespace gatescope {

/// Any bytes as HTML or SVG text, within an element or a quoted attribute: they can be seen, and
/// are never markup.
std::string htmlText(std::string_view bytes, LineEnds ends = LineEnds::Folded);

/// JSON as the content of a script element: the same value, in which nothing can end the element.
std::string scriptJson(std::string_view json);

}  // namespace gatescope
