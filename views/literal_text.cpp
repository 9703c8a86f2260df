// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/literal_text.h"

namespace gatescope {
namespace {

bool isBidiControl(char16_t c) {
    return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

bool isDocumentStructure(char16_t c) {
    return c == 0xFDD0 || c == 0xFDD1 || c == 0xFFFC;
}

bool isControl(char16_t c) {
    return (c < 0x20 && c != u'\n' && c != u'\t') || (c >= 0x7F && c < 0xA0);
}

QString hex(char16_t c, int digits) {
    return QString::number(uint(c), 16).toUpper().rightJustified(digits, u'0');
}

}  // namespace

QString literalText(const QString& text) {
    QString result;
    result.reserve(text.size());
    for (qsizetype i = 0; i < text.size(); ++i) {
        const char16_t c = text[i].unicode();
        if (c == u'\r' && i + 1 < text.size() && text[i + 1] == u'\n') {
            continue;
        }
        if (c == u'\r' || c == 0x2028 || c == 0x2029) {
            result += u'\n';
        } else if (isControl(c)) {
            result += QStringLiteral("\\x") + hex(c, 2);
        } else if (isBidiControl(c) || isDocumentStructure(c)) {
            result += QStringLiteral("\\u") + hex(c, 4);
        } else {
            result += text[i];
        }
    }
    return result;
}

}  // namespace gatescope
