// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/formats.h"

#include <QLocale>
#include <QStringDecoder>
#include <array>
#include <cmath>

namespace gatescope {

namespace {

constexpr char16_t kThinSpace = 0x202F;  // narrow no-break space
constexpr char16_t kMinus = 0x2212;
constexpr char16_t kEllipsis = 0x2026;

/// Groups the digits before the decimal point by three: 1 240.
QString grouped(QString digits, qsizetype from) {
    qsizetype point = digits.indexOf(u'.');
    if (point < 0) {
        point = digits.size();
    }
    if (point - from < 4) {
        return digits;
    }
    for (qsizetype i = point - 3; i > from; i -= 3) {
        digits.insert(i, QChar(kThinSpace));
    }
    return digits;
}

QString unsignedDigits(double value) {
    if (value == 0) {
        return QStringLiteral("0");
    }
    // Rounded to three digits first: 9.996 has two decimals, not three.
    const double rounded = QByteArray::number(value, 'e', 2).toDouble();
    const int exponent = static_cast<int>(std::floor(std::log10(rounded) + 1e-9));
    if (exponent < -4 || exponent > 6) {
        return QString::number(value, 'e', 2);
    }
    return grouped(QString::number(rounded, 'f', std::max(0, 2 - exponent)), 0);
}

QString withSign(double value, const QString& digits, bool always) {
    if (value < 0) {
        return QChar(kMinus) + digits;
    }
    return always ? QChar(u'+') + digits : digits;
}

bool mustEscape(char32_t c) {
    switch (QChar::category(c)) {
        case QChar::Other_Control:
        case QChar::Other_Format:  // bidi controls, zero-width joiners, byte order mark
        case QChar::Other_Surrogate:
        case QChar::Other_PrivateUse:
        case QChar::Other_NotAssigned:
        case QChar::Separator_Line:
        case QChar::Separator_Paragraph:
            return true;
        default:
            return false;
    }
}

QString escaped(char32_t c) {
    switch (c) {
        case U'\n':
            return QStringLiteral("\\n");
        case U'\t':
            return QStringLiteral("\\t");
        case U'\r':
            return QStringLiteral("\\r");
        default:
            break;
    }
    const bool isShort = c <= 0xFFFF;
    return QLatin1String(isShort ? "\\u" : "\\U") +
           QString::number(uint(c), 16).toUpper().rightJustified(isShort ? 4 : 8, u'0');
}

/// Length of the valid UTF-8 sequence at i, 0 if there is none.
qsizetype sequenceLength(const QByteArray& bytes, qsizetype i) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const qsizetype length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                                           : 4;
    if (length == 0 || lead > 0xF4 || i + length > bytes.size()) {
        return 0;
    }
    QStringDecoder decoder(QStringDecoder::Utf8, QStringDecoder::Flag::Stateless);
    const QString text = decoder(QByteArrayView(bytes).sliced(i, length));
    return decoder.hasError() || text.isEmpty() ? 0 : length;
}

void appendVisible(QString& out, const QString& text) {
    const auto points = text.toUcs4();
    for (const uint point : points) {
        const auto c = static_cast<char32_t>(point);
        if (mustEscape(c)) {
            out += escaped(c);
            continue;
        }
        if (out.isEmpty() && QChar::category(c) == QChar::Mark_NonSpacing) {
            out += QChar(0x25CC);  // a dotted circle carries a mark that has no letter before it
        }
        out += QString::fromUcs4(&c, 1);
    }
}

QString cut(const QString& text, int maxChars) {
    if (maxChars <= 0 || text.size() <= maxChars) {
        return text;
    }
    qsizetype end = maxChars - 1;
    if (end > 0 && text[end - 1].isHighSurrogate()) {
        --end;
    }
    return text.left(end) + QChar(kEllipsis);
}

}  // namespace

QString threeDigits(double value) {
    if (std::isnan(value)) {
        return QString(QChar(0x2013));
    }
    if (std::isinf(value)) {
        return withSign(value, QString(QChar(0x221E)), false);
    }
    return withSign(value, unsignedDigits(std::abs(value)), false);
}

QString signedDigits(double value) {
    if (std::isnan(value) || std::isinf(value)) {
        return threeDigits(value);
    }
    return withSign(value, unsignedDigits(std::abs(value)), value != 0);
}

QString allDigits(double value) {
    return std::isnan(value) ? QString(QChar(0x2013))
                             : QString::number(value, 'g', QLocale::FloatingPointShortest);
}

QString allDigits(float value) {
    if (std::isnan(value)) {
        return QString(QChar(0x2013));
    }
    for (int digits = 1; digits < 9; ++digits) {
        const QByteArray text = QByteArray::number(static_cast<double>(value), 'g', digits);
        if (text.toFloat() == value) {
            return QString::fromLatin1(text);
        }
    }
    return QString::number(static_cast<double>(value), 'g', 9);
}

QString integerText(std::int64_t value) {
    QString digits = QString::number(value);
    if (value < 0) {
        digits[0] = QChar(kMinus);
    }
    return grouped(digits, value < 0 ? 1 : 0);
}

QString percentText(double share) {
    return threeDigits(100.0 * share) + QChar(kThinSpace) + u'%';
}

QString timesText(double factor) {
    return threeDigits(factor) + QChar(0xD7);
}

QString bytesText(std::int64_t bytes) {
    static constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    // Three digits cannot tell 1023 KiB from 1020 KiB: 0.999 MiB can.
    while (std::abs(value) >= (unit == 0 ? 1024.0 : 1000.0) && unit + 1 < units.size()) {
        value /= 1024.0;
        ++unit;
    }
    const QString number = unit == 0 ? integerText(bytes) : threeDigits(value);
    return number + QChar(0xA0) + QLatin1String(units[unit]);
}

QString exactBytesText(std::int64_t bytes) {
    return integerText(bytes) + QChar(0xA0) + QLatin1Char('B');
}

QString tokenText(const QByteArray& bytes, int maxChars) {
    QString out;
    QByteArray valid;
    for (qsizetype i = 0; i < bytes.size();) {
        const qsizetype length = sequenceLength(bytes, i);
        if (length > 0) {
            valid += bytes.mid(i, length);
            i += length;
            continue;
        }
        appendVisible(out, QString::fromUtf8(valid));
        valid.clear();
        out += QStringLiteral("\\x") + QString::fromLatin1(bytes.mid(i, 1).toHex()).toUpper();
        ++i;
    }
    appendVisible(out, QString::fromUtf8(valid));
    return cut(out, maxChars);
}

QString visibleText(const QString& text, int maxChars) {
    QString out;
    appendVisible(out, text);
    return cut(out, maxChars);
}

QString quotedToken(const QByteArray& bytes, int maxChars) {
    return QChar(0x201C) + tokenText(bytes, maxChars) + QChar(0x201D);
}

QString plainToolTip(const QString& text) {
    if (text.isEmpty()) {
        return {};
    }
    QString html = text.toHtmlEscaped();
    html.replace(u'\n', QStringLiteral("<br>"));
    return QStringLiteral("<qt>") + html + QStringLiteral("</qt>");
}

}  // namespace gatescope
