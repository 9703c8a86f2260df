// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QString>
#include <cstdint>

namespace gatescope {

/// Three significant digits, without an exponent between 0.0001 and 10 million: 0.0121, 71.1, 1
/// 240. NaN is an en dash.
QString threeDigits(double value);
/// The same with a sign always written (U+2212 for minus).
QString signedDigits(double value);
/// All digits: the shortest text that reads back to the same value.
QString allDigits(double value);
QString allDigits(float value);

/// Thousands apart by a narrow no-break space: 71 424.
QString integerText(std::int64_t value);
/// A share as a percentage with three significant digits: 84.1 %.
QString percentText(double share);
/// A factor: 2.41x with the multiplication sign.
QString timesText(double factor);

/// B, KiB, MiB, GiB or TiB with three significant digits: 27.7 MiB.
QString bytesText(std::int64_t bytes);
/// All digits: 71 424 B.
QString exactBytesText(std::int64_t bytes);

/// Bytes of a token or a file as text that can be shown anywhere: control characters, bidi
/// controls, invisible format characters and lone combining marks are written as escapes (\n, \t,
/// \u202E), bytes that are not UTF-8 as \xE4. A backslash is doubled only where escapes would be
/// ambiguous (never). `maxChars` > 0 cuts with an ellipsis. The result may still hold < and &: show
/// it as plain text.
QString tokenText(const QByteArray& bytes, int maxChars = 0);
/// The same for text that is already decoded.
QString visibleText(const QString& text, int maxChars = 0);
/// visibleText in typographic quotes.
QString quotedToken(const QByteArray& bytes, int maxChars = 0);

/// A tooltip that is never taken for markup: escaped, line breaks kept.
QString plainToolTip(const QString& text);

}  // namespace gatescope
