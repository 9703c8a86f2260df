// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace gatescope {

/// Model or file text for a QTextDocument or a widget that shows plain text: line breaks and tabs
/// stay, other control characters, bidi controls, and the characters QTextDocument uses for its own
/// structure (U+FDD0, U+FDD1, U+FFFC) are written as \x1B or \u202E.
QString literalText(const QString& text);

}  // namespace gatescope
