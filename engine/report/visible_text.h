// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace gatescope {

enum class LineEnds : char {
    Kept,    ///< LF, CR LF and CR end a line, written as LF
    Folded,  ///< they are spaces: titles, letters in a figure
};

/// Any bytes as well-formed UTF-8 of which a reader sees everything: what is not UTF-8 becomes
/// U+FFFD, control characters "\x1B", and characters that would turn the order of a line around
/// "\u202E". A tab goes on to the next multiple of four characters. The result is its own visible
/// text.
std::string visibleText(std::string_view bytes, LineEnds ends);

}  // namespace gatescope
