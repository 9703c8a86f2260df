// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace gatescope::cli {

bool isTerminal(int descriptor);
int terminalColumns();  ///< of standard output; 80 where that is no terminal

/// Model text made harmless for a terminal: control characters other than newline and tab, and
/// characters that reorder text, become \xNN or \u{NNNN}. Input is whole characters of UTF-8.
std::string withoutControls(std::string_view text);

/// Writes to standard output at once. Throws Error when that is impossible.
void print(std::string_view text);
/// The same for model text; where standard output is a terminal, through withoutControls().
void printModelText(std::string_view text);

/// "12.3 MB": three significant digits, decimal units.
std::string bytesText(double bytes);
/// "13.1 M": three significant digits; plain below ten thousand.
std::string countText(double count);

}  // namespace gatescope::cli
