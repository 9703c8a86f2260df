// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "engine/report/cairo_handles.h"
#include "engine/report/figure.h"

namespace gatescope {

/// How letters look. Lengths in points.
struct TextStyle {
    double size = 10;
    double line = 14.5;  ///< from base line to base line, whatever script a line is in
    Ink ink = Ink::Text;
    bool bold = false;
    bool code = false;  ///< fixed pitch, broken anywhere
    bool tabularFigures = false;
};

/// A line of a text that was broken.
struct SetLine {
    std::string text;
    bool rightToLeft = false;  ///< the direction of the paragraph it is from
};

/// Where a line stands.
struct LinePlace {
    double x = 0;  ///< of the side that `anchor` names
    double y = 0;  ///< of the base line
    TextAnchor anchor = TextAnchor::Start;
    double most = 0;  ///< cut to this width with an ellipsis; 0: never
};

/// Sets text with Pango, in fonts of its own: an object belongs to one thread at a time, several
/// can work side by side. Lengths in points; hinting is off, so they hold at any scale. All text
/// has to be visibleText(); '\n' ends a line.
class Typesetter {
  public:
    /// `language` (BCP 47) decides which forms Han characters have.
    explicit Typesetter(const std::string& language);

    /// Text broken into lines of at most `width`; at least one. Takes time and memory proportional
    /// to the text, words of any length included.
    std::vector<SetLine> lines(std::string_view text, const TextStyle& style, double width) const;
    std::size_t countLines(std::string_view text, const TextStyle& style, double width) const;
    /// Of the widest line when broken only at '\n'.
    double width(std::string_view text, const TextStyle& style) const;
    /// Of the widest part that is not broken between words.
    double narrowest(std::string_view text, const TextStyle& style) const;

    /// Draws one line (without '\n') in the colour that is set.
    void draw(cairo_t* cairo, const SetLine& line, const TextStyle& style,
              const LinePlace& place) const;

    /// Distance from the top of a line to its base line.
    static double baseLine(const TextStyle& style);

  private:
    PangoLayoutHandle layout(std::string_view text, const TextStyle& style) const;
    void breakParagraph(std::string_view text, const TextStyle& style, double width,
                        std::vector<SetLine>& lines) const;

    PangoFontMapHandle m_fonts;
    PangoContextHandle m_context;
    PangoFontName m_letters;
    PangoFontName m_code;
    PangoAttributes m_plain;
    PangoAttributes m_figures;
};

}  // namespace gatescope
