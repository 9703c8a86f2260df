// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/theme.h"

#include <QApplication>
#include <QFontMetricsF>
#include <QStyle>
#include <QTest>
#include <cmath>

#include "views/colour_maps.h"

using namespace gatescope;

namespace {

/// Relative luminance and contrast as in WCAG 2.
double luminance(const QColor& colour) {
    const auto linear = [](double c) {
        return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * linear(colour.redF()) + 0.7152 * linear(colour.greenF()) +
           0.0722 * linear(colour.blueF());
}

double contrast(const QColor& a, const QColor& b) {
    const double la = luminance(a);
    const double lb = luminance(b);
    return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

}  // namespace

class ThemeTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() { applyTheme(Theme::Light); }
    void themesSwitchAtRunTime();
    void textCanBeRead();
    void coloursAreDistinct();
    void plotsFollow();
    void figuresAreTabular();
    void viridisIsViridis();
    void divergingMapIsSymmetric();
};

void ThemeTest::themesSwitchAtRunTime() {
    QCOMPARE(QApplication::style()->name().toLower(), QStringLiteral("fusion"));
    QVERIFY(!isDark(QApplication::palette()));
    applyTheme(Theme::Dark);
    QVERIFY(isDark(QApplication::palette()));
    QCOMPARE(currentTheme(), Theme::Dark);
    QCOMPARE(QApplication::palette().color(QPalette::Base), darkPalette().color(QPalette::Base));
    applyTheme(Theme::System);  // offscreen gives no palette: ours
    QCOMPARE(QApplication::palette().color(QPalette::Window),
             lightPalette().color(QPalette::Window));
}

void ThemeTest::textCanBeRead() {
    for (const QPalette& palette : {lightPalette(), darkPalette()}) {
        const auto pair = [&](QPalette::ColorRole text, QPalette::ColorRole back) {
            return contrast(palette.color(text), palette.color(back));
        };
        QVERIFY(pair(QPalette::WindowText, QPalette::Window) >= 7);
        QVERIFY(pair(QPalette::Text, QPalette::Base) >= 7);
        QVERIFY(pair(QPalette::ButtonText, QPalette::Button) >= 7);
        QVERIFY(pair(QPalette::ToolTipText, QPalette::ToolTipBase) >= 7);
        QVERIFY2(pair(QPalette::PlaceholderText, QPalette::Base) >= 4.5,
                 qPrintable(QString::number(pair(QPalette::PlaceholderText, QPalette::Base))));
        QVERIFY2(pair(QPalette::HighlightedText, QPalette::Highlight) >= 4,
                 qPrintable(QString::number(pair(QPalette::HighlightedText, QPalette::Highlight))));
        const ThemeColours colours = themeColours(palette);
        const QColor base = palette.color(QPalette::Base);
        QVERIFY(contrast(colours.bias, base) >= 4);  // it colours text
        QVERIFY(contrast(colours.accepted, base) >= 3);
        QVERIFY(contrast(colours.rejected, base) >= 3);
    }
}

void ThemeTest::coloursAreDistinct() {
    for (const QPalette& palette : {lightPalette(), darkPalette()}) {
        const ThemeColours c = themeColours(palette);
        QCOMPARE(c.accent, c.accepted);
        QVERIFY(c.accepted.hue() > 190 && c.accepted.hue() < 230);
        QVERIFY(c.rejected.hue() > 15 && c.rejected.hue() < 40);
        QVERIFY(c.bias.hue() > 255 && c.bias.hue() < 300);
        QVERIFY(hatchBrush(palette).style() == Qt::BDiagPattern);
    }
}

void ThemeTest::plotsFollow() {
    QCustomPlot plot;
    themePlot(&plot, darkPalette(), QApplication::font());
    QVERIFY(plot.xAxis->tickLabelColor().lightness() > 120);
    QVERIFY(plot.xAxis->labelColor().lightness() > 120);
    themePlot(&plot, lightPalette(), QApplication::font());
    QVERIFY(plot.xAxis->tickLabelColor().lightness() < 140);
    QVERIFY(plot.xAxis->basePen().color().lightness() > 100);
}

void ThemeTest::figuresAreTabular() {
    const QFontMetricsF metrics(tabularFont(QApplication::font()));
    for (char16_t digit = u'1'; digit <= u'9'; ++digit) {
        QCOMPARE(metrics.horizontalAdvance(digit), metrics.horizontalAdvance(u'0'));
    }
}

void ThemeTest::viridisIsViridis() {
    QCPColorGradient map = viridis();
    QVERIFY(map.colorStops().size() >= 16);
    const QCPRange range(0, 1);
    const auto near = [](QRgb a, QRgb b) {
        return std::abs(qRed(a) - qRed(b)) <= 3 && std::abs(qGreen(a) - qGreen(b)) <= 3 &&
               std::abs(qBlue(a) - qBlue(b)) <= 3;
    };
    QVERIFY(near(map.color(0, range), qRgb(0x44, 0x01, 0x54)));
    QVERIFY(near(map.color(0.25, range), qRgb(0x3b, 0x52, 0x8b)));
    QVERIFY(near(map.color(0.5, range), qRgb(0x21, 0x91, 0x8c)));
    QVERIFY(near(map.color(0.75, range), qRgb(0x5e, 0xc9, 0x62)));
    QVERIFY(near(map.color(1, range), qRgb(0xfd, 0xe7, 0x25)));
    double before = -1;  // lightness grows: it reads in grey too
    for (int i = 0; i <= 100; ++i) {
        const double now = luminance(QColor(map.color(i / 100.0, range)));
        QVERIFY(now > before - 1e-3);
        before = now;
    }
}

void ThemeTest::divergingMapIsSymmetric() {
    for (const bool dark : {false, true}) {
        QCPColorGradient map = blueWhiteOrange(dark);
        QVERIFY(map.colorStops().size() >= 16);
        const QCPRange range(-1, 1);
        QVERIFY(QColor(map.color(-0.8, range)).blue() > QColor(map.color(-0.8, range)).red());
        QVERIFY(QColor(map.color(0.8, range)).red() > QColor(map.color(0.8, range)).blue());
        const double middle = luminance(QColor(map.color(0, range)));
        QVERIFY(dark ? middle < 0.05 : middle > 0.95);
        for (const double x : {0.2, 0.5, 0.9}) {
            const double left = luminance(QColor(map.color(-x, range)));
            const double right = luminance(QColor(map.color(x, range)));
            QVERIFY2(std::abs(left - right) < 0.12, qPrintable(QString::number(left - right)));
        }
    }
}

QTEST_MAIN(ThemeTest)
#include "theme_test.moc"
