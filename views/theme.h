// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QBrush>
#include <QColor>
#include <QFont>
#include <QPalette>

class QCustomPlot;
class QWidget;

namespace gatescope {

enum class Theme { System, Light, Dark };

/// Sets the Fusion style and the palette of the whole application. System takes the desktop's own
/// palette; where the desktop gives none (bare X, offscreen) it is our light or dark one, dark when
/// the desktop's settings portal prefers dark. May be called again at any time.
void applyTheme(Theme theme);

/// The theme last applied.
Theme currentTheme();

/// Whether text on this palette is light on dark.
bool isDark(const QPalette& palette);

/// Our complete palettes.
QPalette lightPalette();
QPalette darkPalette();

/// A colour means one thing everywhere.
struct ThemeColours {
    QColor accent;    ///< selection, links, focus; the same blue as accepted
    QColor accepted;  ///< accepted drafts, chosen experts
    QColor rejected;  ///< rejected drafts
    QColor bias;      ///< what the correction bias decided
    QColor muted;     ///< secondary text
    QColor neutral;   ///< bars and marks that were not chosen
    QColor grid;      ///< grid and separator lines
    QColor hatch;     ///< lines of the not-enough-data hatching
    QColor error;     ///< failures
};
ThemeColours themeColours(const QPalette& palette);

/// Grey hatching: not enough data, or nothing to show here.
QBrush hatchBrush(const QPalette& palette);

/// Figures of equal width, so that columns of numbers line up: the interface font if its figures
/// are tabular, otherwise the fixed-pitch font in the same size.
QFont tabularFont(const QFont& base);
/// Secondary text, one step smaller.
QFont smallFont(const QFont& base);

/// The grid all margins and gaps are made of, in device-independent pixels.
inline constexpr int kGrid = 8;

/// Colours background, axes, ticks, labels and legend of a plot: QCustomPlot ignores palettes.
/// Call again on QEvent::PaletteChange and FontChange.
void themePlot(QCustomPlot* plot, const QPalette& palette, const QFont& font);

}  // namespace gatescope
