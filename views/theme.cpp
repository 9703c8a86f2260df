// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/theme.h"

#include <QApplication>
#include <QDBusConnection>
#include <QDBusInterface>
#include <QDBusReply>
#include <QDBusVariant>
#include <QFontDatabase>
#include <QFontInfo>
#include <QFontMetricsF>
#include <QStyle>
#include <QStyleFactory>

#include "views/plot.h"

namespace gatescope {

namespace {

Theme g_theme = Theme::System;

constexpr auto kPortalService = "org.freedesktop.portal.Desktop";
constexpr auto kPortalPath = "/org/freedesktop/portal/desktop";
constexpr auto kPortalInterface = "org.freedesktop.portal.Settings";
constexpr auto kAppearance = "org.freedesktop.appearance";
constexpr auto kColourScheme = "color-scheme";
constexpr uint kPreferDark = 1;

/// Qt 6.4 does not ask the desktop's settings portal for the colour scheme, so we do.
class PortalWatcher final : public QObject {
    Q_OBJECT

  public:
    PortalWatcher() {
        if (!desktopSession()) {
            return;
        }
        auto bus = QDBusConnection::sessionBus();
        QDBusInterface settings(kPortalService, kPortalPath, kPortalInterface, bus);
        settings.setTimeout(300);  // ms: the window must not wait for a desktop that hangs
        const QDBusReply<QVariant> reply =
            settings.call(QStringLiteral("Read"), kAppearance, kColourScheme);
        if (reply.isValid()) {
            m_dark = unwrapped(reply.value()).toUInt() == kPreferDark;
        }
        bus.connect(kPortalService, kPortalPath, kPortalInterface, QStringLiteral("SettingChanged"),
                    this, SLOT(settingChanged(QString, QString, QDBusVariant)));
    }
    bool dark() const { return m_dark; }

  private Q_SLOTS:
    void settingChanged(const QString& group, const QString& key, const QDBusVariant& value) {
        if (group == QLatin1String(kAppearance) && key == QLatin1String(kColourScheme)) {
            m_dark = unwrapped(value.variant()).toUInt() == kPreferDark;
            if (g_theme == Theme::System) {
                applyTheme(Theme::System);
            }
        }
    }

  private:
    static bool desktopSession() {
        const QString platform = QGuiApplication::platformName();
        return (platform == QLatin1String("xcb") ||
                platform.startsWith(QLatin1String("wayland"))) &&
               qEnvironmentVariableIsSet("DBUS_SESSION_BUS_ADDRESS");
    }
    /// The portal's Read answers with a variant inside a variant.
    static QVariant unwrapped(QVariant value) {
        while (value.canConvert<QDBusVariant>()) {
            value = value.value<QDBusVariant>().variant();
        }
        return value;
    }

    bool m_dark = false;
};

struct PaletteColours {
    QColor window, base, alternate, text, button, placeholder, disabled, highlight, link;
    QColor light, midlight, mid, dark, shadow, toolTipBase;
};

QPalette paletteOf(const PaletteColours& c) {
    QPalette p;
    p.setColor(QPalette::Window, c.window);
    p.setColor(QPalette::WindowText, c.text);
    p.setColor(QPalette::Base, c.base);
    p.setColor(QPalette::AlternateBase, c.alternate);
    p.setColor(QPalette::Text, c.text);
    p.setColor(QPalette::Button, c.button);
    p.setColor(QPalette::ButtonText, c.text);
    p.setColor(QPalette::BrightText, Qt::white);
    p.setColor(QPalette::PlaceholderText, c.placeholder);
    p.setColor(QPalette::Highlight, c.highlight);
    p.setColor(QPalette::HighlightedText, Qt::white);
    p.setColor(QPalette::Link, c.link);
    p.setColor(QPalette::LinkVisited, c.link);
    p.setColor(QPalette::ToolTipBase, c.toolTipBase);
    p.setColor(QPalette::ToolTipText, c.text);
    p.setColor(QPalette::Light, c.light);
    p.setColor(QPalette::Midlight, c.midlight);
    p.setColor(QPalette::Mid, c.mid);
    p.setColor(QPalette::Dark, c.dark);
    p.setColor(QPalette::Shadow, c.shadow);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText,
                            QPalette::HighlightedText, QPalette::PlaceholderText}) {
        p.setColor(QPalette::Disabled, role, c.disabled);
    }
    p.setColor(QPalette::Disabled, QPalette::Highlight, c.mid);
    return p;
}

/// The desktop gave no palette of its own: what we see is what Fusion makes up.
bool isStylePalette(const QPalette& palette) {
    const QPalette standard = QApplication::style()->standardPalette();
    for (const auto role :
         {QPalette::Window, QPalette::Base, QPalette::Text, QPalette::Highlight}) {
        if (palette.color(role) != standard.color(role)) {
            return false;
        }
    }
    return true;
}

bool hasTabularFigures(const QFont& font) {
    const QFontMetricsF metrics(font);
    const qreal width = metrics.horizontalAdvance(u'0');
    for (char16_t digit = u'1'; digit <= u'9'; ++digit) {
        if (!qFuzzyCompare(metrics.horizontalAdvance(digit), width)) {
            return false;
        }
    }
    return true;
}

void themeAxis(QCPAxis* axis, const QColor& text, const QColor& line, const QColor& grid,
               const QFont& font) {
    const QPen pen(line, 1);
    axis->setBasePen(pen);
    axis->setTickPen(pen);
    axis->setSubTickPen(pen);
    axis->setTickLabelColor(text);
    axis->setLabelColor(text);
    axis->setTickLabelFont(tabularFont(font));
    axis->setLabelFont(font);
    axis->grid()->setPen(QPen(grid, 1));
    axis->grid()->setSubGridPen(QPen(grid, 1, Qt::DotLine));
    axis->grid()->setZeroLinePen(QPen(grid, 1));
}

}  // namespace

Theme currentTheme() {
    return g_theme;
}

bool isDark(const QPalette& palette) {
    return palette.color(QPalette::Window).lightness() <
           palette.color(QPalette::WindowText).lightness();
}

QPalette lightPalette() {
    PaletteColours c;
    c.window = QColor(0xf2, 0xf3, 0xf5);
    c.base = QColor(0xff, 0xff, 0xff);
    c.alternate = QColor(0xf7, 0xf8, 0xfa);
    c.text = QColor(0x1d, 0x21, 0x27);
    c.button = QColor(0xfa, 0xfb, 0xfc);
    c.placeholder = QColor(0x6a, 0x72, 0x7d);
    c.disabled = QColor(0xa2, 0xa8, 0xb1);
    c.highlight = QColor(0x1f, 0x78, 0xc8);
    c.link = QColor(0x1a, 0x6f, 0xbf);
    c.light = QColor(0xff, 0xff, 0xff);
    c.midlight = QColor(0xe9, 0xeb, 0xee);
    c.mid = QColor(0xc9, 0xcd, 0xd3);
    c.dark = QColor(0xa6, 0xac, 0xb5);
    c.shadow = QColor(0x7c, 0x84, 0x8f);
    c.toolTipBase = QColor(0xff, 0xff, 0xff);
    return paletteOf(c);
}

QPalette darkPalette() {
    PaletteColours c;
    c.window = QColor(0x22, 0x25, 0x29);
    c.base = QColor(0x2b, 0x2e, 0x33);
    c.alternate = QColor(0x30, 0x34, 0x39);
    c.text = QColor(0xe3, 0xe6, 0xea);
    c.button = QColor(0x33, 0x37, 0x3d);
    c.placeholder = QColor(0x9a, 0xa2, 0xad);
    c.disabled = QColor(0x6b, 0x72, 0x7c);
    c.highlight = QColor(0x2a, 0x7d, 0xcb);
    c.link = QColor(0x6c, 0xb4, 0xf2);
    c.light = QColor(0x4a, 0x50, 0x58);
    c.midlight = QColor(0x3d, 0x42, 0x49);
    c.mid = QColor(0x46, 0x4b, 0x53);
    c.dark = QColor(0x17, 0x19, 0x1c);
    c.shadow = QColor(0x0e, 0x0f, 0x11);
    c.toolTipBase = QColor(0x3a, 0x3f, 0x46);
    return paletteOf(c);
}

void applyTheme(Theme theme) {
    g_theme = theme;
    if (QApplication::style()->name().compare(QLatin1String("fusion"), Qt::CaseInsensitive) != 0) {
        QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
    }
    if (theme != Theme::System) {
        QApplication::setPalette(theme == Theme::Dark ? darkPalette() : lightPalette());
        return;
    }
    static PortalWatcher* portal =
        new PortalWatcher;                 // lives as long as the process, as D-Bus does
    QApplication::setPalette(QPalette());  // back to the desktop's own
    const QPalette system = QApplication::palette();
    if (isStylePalette(system)) {
        const bool dark = isDark(system) || portal->dark();
        QApplication::setPalette(dark ? darkPalette() : lightPalette());
    } else if (portal->dark() && !isDark(system)) {
        QApplication::setPalette(darkPalette());
    }
}

ThemeColours themeColours(const QPalette& palette) {
    ThemeColours c;
    const bool dark = isDark(palette);
    c.accepted = dark ? QColor(0x4a, 0xa3, 0xef) : QColor(0x2f, 0x8f, 0xe0);
    c.accent = c.accepted;
    c.rejected = dark ? QColor(0xee, 0x8c, 0x3f) : QColor(0xdf, 0x74, 0x1f);
    c.bias = dark ? QColor(0xb5, 0x82, 0xe6) : QColor(0x95, 0x58, 0xd0);
    c.muted = palette.color(QPalette::PlaceholderText);
    c.neutral = dark ? QColor(0x6c, 0x75, 0x80) : QColor(0xb9, 0xc0, 0xc9);
    c.grid = dark ? QColor(0x3e, 0x43, 0x4a) : QColor(0xe4, 0xe7, 0xeb);
    c.hatch = dark ? QColor(0x4b, 0x51, 0x59) : QColor(0xcf, 0xd4, 0xda);
    c.error = dark ? QColor(0xf0, 0x6a, 0x6a) : QColor(0xc6, 0x2f, 0x2f);
    return c;
}

QBrush hatchBrush(const QPalette& palette) {
    return {themeColours(palette).hatch, Qt::BDiagPattern};
}

QFont tabularFont(const QFont& base) {
    if (hasTabularFigures(base)) {
        return base;
    }
    QFont fixed = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    if (base.pointSizeF() > 0) {
        fixed.setPointSizeF(base.pointSizeF());
    } else {
        fixed.setPixelSize(base.pixelSize());
    }
    fixed.setWeight(base.weight());
    return fixed;
}

QFont smallFont(const QFont& base) {
    QFont font = base;
    if (base.pointSizeF() > 0) {
        font.setPointSizeF(base.pointSizeF() * 0.9);
    } else {
        font.setPixelSize(qRound(base.pixelSize() * 0.9));
    }
    return font;
}

void themePlot(QCustomPlot* plot, const QPalette& palette, const QFont& font) {
    const ThemeColours colours = themeColours(palette);
    const QFont labels = smallFont(font);
    plot->setBackground(palette.brush(QPalette::Active, QPalette::Base));
    const auto axes = plot->findChildren<QCPAxis*>();  // those of colour scales too
    for (QCPAxis* axis : axes) {
        themeAxis(axis, colours.muted, colours.hatch, colours.grid, labels);
    }
    plot->legend->setBrush(Qt::NoBrush);
    plot->legend->setBorderPen(Qt::NoPen);
    plot->legend->setTextColor(colours.muted);
    plot->legend->setFont(labels);
}

}  // namespace gatescope

#include "theme.moc"
