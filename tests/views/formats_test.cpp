// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/formats.h"

#include <QTest>
#include <cmath>
#include <limits>

#include "views/number_table.h"

using namespace gatescope;

class FormatsTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void threeSignificantDigits_data();
    void threeSignificantDigits();
    void allDigitsReadBack();
    void bytes();
    void tokens_data();
    void tokens();
    void toolTipsAreNotMarkup();
    void tableFields();
};

void FormatsTest::threeSignificantDigits_data() {
    QTest::addColumn<double>("value");
    QTest::addColumn<QString>("text");
    const auto add = [](double value, const char16_t* text) {
        QTest::addRow("%g", value) << value << QString::fromUtf16(text);
    };
    add(0, u"0");
    add(0.01214, u"0.0121");
    add(71.111, u"71.1");
    add(9.996, u"10.0");
    add(0.9996, u"1.00");
    add(999.6, u"1\u202F000");
    add(1, u"1.00");
    add(100, u"100");
    add(1236, u"1\u202F240");
    add(4997120, u"5\u202F000\u202F000");
    add(-0.0563, u"\u22120.0563");
    add(0.00012345, u"0.000123");
    add(0.000012345, u"1.23e-05");
    add(3.2e11, u"3.20e+11");
    add(std::numeric_limits<double>::quiet_NaN(), u"–");
    add(std::numeric_limits<double>::infinity(), u"∞");
}

void FormatsTest::threeSignificantDigits() {
    QFETCH(double, value);
    QFETCH(QString, text);
    QCOMPARE(threeDigits(value), text);
}

void FormatsTest::allDigitsReadBack() {
    for (const float value : {0.1F, 1.0F / 3, 0.71402347F, 1e-20F, 12345678.0F, -0.0310001F}) {
        QCOMPARE(allDigits(value).toFloat(), value);
    }
    QCOMPARE(allDigits(0.1F), QStringLiteral("0.1"));
    QCOMPARE(allDigits(1.0 / 3).toDouble(), 1.0 / 3);
    QCOMPARE(signedDigits(0.031), QStringLiteral("+0.0310"));
    QCOMPARE(signedDigits(0.0), QStringLiteral("0"));
    QCOMPARE(percentText(0.841), QStringLiteral("84.1\u202F%"));
    QCOMPARE(timesText(2.406), QStringLiteral("2.41×"));
}

void FormatsTest::bytes() {
    QCOMPARE(bytesText(0), QStringLiteral("0\u00A0B"));
    QCOMPARE(bytesText(1023), QStringLiteral("1\u202F023\u00A0B"));
    QCOMPARE(bytesText(1024), QStringLiteral("1.00\u00A0KiB"));
    QCOMPARE(bytesText(29045555), QStringLiteral("27.7\u00A0MiB"));
    QCOMPARE(bytesText(1023 * 1024), QStringLiteral("0.999\u00A0MiB"));
    QCOMPARE(bytesText(std::numeric_limits<std::int64_t>::max()), QStringLiteral("8.00\u00A0EiB"));
    QCOMPARE(exactBytesText(71424), QStringLiteral("71\u202F424\u00A0B"));
    QCOMPARE(integerText(-1234567), QStringLiteral("\u22121\u202F234\u202F567"));
    QCOMPARE(integerText(999), QStringLiteral("999"));
}

void FormatsTest::tokens_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QString>("text");
    QTest::newRow("plain") << QByteArray(" small") << QStringLiteral(" small");
    QTest::newRow("newline") << QByteArray("a\n\t\r") << QStringLiteral("a\\n\\t\\r");
    QTest::newRow("nul") << QByteArray("a\0b", 3) << QStringLiteral("a\\u0000b");
    QTest::newRow("bidi") << QByteArray(
                                 "\xE2\x80\xAE"
                                 "abc")
                          << QStringLiteral("\\u202Eabc");
    QTest::newRow("zero width") << QByteArray("\xE2\x80\x8B") << QStringLiteral("\\u200B");
    QTest::newRow("chinese") << QByteArray("\xE7\xBF\xBB") << QStringLiteral("翻");
    QTest::newRow("half of it") << QByteArray("\xE7\xBF") << QStringLiteral("\\xE7\\xBF");
    QTest::newRow("emoji") << QByteArray("\xF0\x9F\x98\x80") << QStringLiteral("😀");
    QTest::newRow("surrogate") << QByteArray("\xED\xA0\x80") << QStringLiteral("\\xED\\xA0\\x80");
    QTest::newRow("overlong") << QByteArray("\xC0\xAF") << QStringLiteral("\\xC0\\xAF");
    QTest::newRow("lone mark") << QByteArray("\xCC\x81") << QStringLiteral("\u25CC\u0301");
    QTest::newRow("markup") << QByteArray("<img src=x>") << QStringLiteral("<img src=x>");
}

void FormatsTest::tokens() {
    QFETCH(QByteArray, bytes);
    QFETCH(QString, text);
    QCOMPARE(tokenText(bytes), text);
    QCOMPARE(quotedToken(bytes), QStringLiteral("“") + text + QStringLiteral("”"));
}

void FormatsTest::toolTipsAreNotMarkup() {
    QCOMPARE(plainToolTip(QStringLiteral("<b>a</b>\n&")),
             QStringLiteral("<qt>&lt;b&gt;a&lt;/b&gt;<br>&amp;</qt>"));
    QVERIFY(plainToolTip({}).isEmpty());
    QCOMPARE(visibleText(QStringLiteral("abcdef"), 4), QStringLiteral("abc…"));
    QCOMPARE(visibleText(QStringLiteral("a😀bc"), 3), QStringLiteral("a…"));
}

void FormatsTest::tableFields() {
    QCOMPARE(tableField(QStringLiteral("a,b"), u','), QStringLiteral("\"a,b\""));
    QCOMPARE(tableField(QStringLiteral("say \"x\""), u','), QStringLiteral("\"say \"\"x\"\"\""));
    QCOMPARE(tableField(QStringLiteral("=1+1"), u','), QStringLiteral("'=1+1"));
    QCOMPARE(tableField(QStringLiteral("-0.5"), u','), QStringLiteral("-0.5"));
    QCOMPARE(tableField(QStringLiteral("a\tb"), u'\t'), QStringLiteral("a b"));
}

QTEST_MAIN(FormatsTest)
#include "formats_test.moc"
