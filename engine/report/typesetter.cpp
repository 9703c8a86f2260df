// SPDX-License-Identifier: Apache-2.0
#include "engine/report/typesetter.h"

#include <algorithm>
#include <cstddef>

namespace gatescope {
namespace {

constexpr const char* kLetters = "DejaVu Sans, Noto Sans CJK SC, sans-serif";
constexpr const char* kCode = "DejaVu Sans Mono, Noto Sans Mono CJK SC, monospace";

// A paragraph is broken in windows of this many bytes: Pango's time grows with the square of the
// length of a word.
constexpr std::size_t kWindow = 1024;

int units(double points) {
    return pango_units_from_double(points);
}

/// The first bytes of valid UTF-8, at most kWindow and whole characters.
std::string_view windowOf(std::string_view text) {
    if (text.size() <= kWindow) {
        return text;
    }
    std::size_t size = kWindow;
    while ((static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) {
        --size;
    }
    return text.substr(0, size);
}

int bytesOf(std::string_view text) {
    return static_cast<int>(std::min<std::size_t>(text.size(), 1UL << 30));
}

double widthOf(PangoLayout* layout) {
    PangoRectangle logical;
    pango_layout_get_extents(layout, nullptr, &logical);
    return pango_units_to_double(logical.width);
}

/// The direction of paragraphs, from left to right again when it goes.
class Direction {
  public:
    Direction(PangoContext* context, bool rightToLeft) : m_context(context) {
        pango_context_set_base_dir(context,
                                   rightToLeft ? PANGO_DIRECTION_RTL : PANGO_DIRECTION_LTR);
    }
    ~Direction() { pango_context_set_base_dir(m_context, PANGO_DIRECTION_LTR); }
    Direction(const Direction&) = delete;
    Direction& operator=(const Direction&) = delete;

  private:
    PangoContext* m_context;
};

/// Calls with every part between '\n'.
template <typename Use>
void forEachParagraph(std::string_view text, const Use& use) {
    for (;;) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        use(text.substr(0, end));
        if (end == text.size()) {
            return;
        }
        text.remove_prefix(end + 1);
    }
}

}  // namespace

Typesetter::Typesetter(const std::string& language)
    : m_fonts(pango_cairo_font_map_new()),
      m_context(pango_font_map_create_context(m_fonts.get())),
      m_letters(pango_font_description_from_string(kLetters)),
      m_code(pango_font_description_from_string(kCode)),
      m_plain(pango_attr_list_new()),
      m_figures(pango_attr_list_new()) {
    pango_cairo_font_map_set_resolution(PANGO_CAIRO_FONT_MAP(m_fonts.get()), 72);
    pango_context_set_language(m_context.get(), pango_language_from_string(language.c_str()));
    pango_context_set_base_dir(m_context.get(), PANGO_DIRECTION_LTR);
    pango_context_set_round_glyph_positions(m_context.get(), FALSE);
    const CairoFontOptions options(cairo_font_options_create());
    cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options.get(), CAIRO_ANTIALIAS_GRAY);
    pango_cairo_context_set_font_options(m_context.get(), options.get());
    pango_attr_list_insert(m_plain.get(), pango_attr_insert_hyphens_new(FALSE));
    pango_attr_list_insert(m_figures.get(), pango_attr_insert_hyphens_new(FALSE));
    pango_attr_list_insert(m_figures.get(), pango_attr_font_features_new("tnum=1"));
}

PangoLayoutHandle Typesetter::layout(std::string_view text, const TextStyle& style) const {
    PangoLayoutHandle layout(pango_layout_new(m_context.get()));
    PangoFontDescription* font = style.code ? m_code.get() : m_letters.get();
    pango_font_description_set_absolute_size(font, style.size * PANGO_SCALE);
    pango_font_description_set_weight(font, style.bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_layout_set_font_description(layout.get(), font);
    pango_layout_set_attributes(layout.get(),
                                style.tabularFigures ? m_figures.get() : m_plain.get());
    pango_layout_set_wrap(layout.get(), style.code ? PANGO_WRAP_CHAR : PANGO_WRAP_WORD_CHAR);
    pango_layout_set_text(layout.get(), text.data(), bytesOf(text));
    return layout;
}

void Typesetter::breakParagraph(std::string_view text, const TextStyle& style, double width,
                                std::vector<SetLine>& lines) const {
    do {
        const std::string_view window = windowOf(text);
        const PangoLayoutHandle set = layout(window, style);
        pango_layout_set_width(set.get(), units(std::max(width, 1.0)));
        const int count = pango_layout_get_line_count(set.get());
        // What follows the window may still belong to its last line.
        const int whole = window.size() < text.size() ? std::max(count - 1, 1) : count;
        std::size_t taken = 0;
        for (int i = 0; i < whole; ++i) {
            const PangoLayoutLine* line = pango_layout_get_line_readonly(set.get(), i);
            taken = static_cast<std::size_t>(line->start_index) +
                    static_cast<std::size_t>(line->length);
            lines.push_back({std::string(window.substr(static_cast<std::size_t>(line->start_index),
                                                       static_cast<std::size_t>(line->length))),
                             line->resolved_dir == PANGO_DIRECTION_RTL});
        }
        text.remove_prefix(whole == count ? window.size() : taken);
    } while (!text.empty());
}

std::vector<SetLine> Typesetter::lines(std::string_view text, const TextStyle& style,
                                       double width) const {
    std::vector<SetLine> lines;
    forEachParagraph(
        text, [&](std::string_view paragraph) { breakParagraph(paragraph, style, width, lines); });
    return lines;
}

std::size_t Typesetter::countLines(std::string_view text, const TextStyle& style,
                                   double width) const {
    return lines(text, style, width).size();
}

double Typesetter::width(std::string_view text, const TextStyle& style) const {
    double widest = 0;
    forEachParagraph(text, [&](std::string_view paragraph) {
        double sum = 0;  // of windows, for no column is as wide as one
        while (!paragraph.empty()) {
            const std::string_view window = windowOf(paragraph);
            sum += widthOf(layout(window, style).get());
            paragraph.remove_prefix(window.size());
        }
        widest = std::max(widest, sum);
    });
    return widest;
}

double Typesetter::narrowest(std::string_view text, const TextStyle& style) const {
    const PangoLayoutHandle set = layout(windowOf(text), style);
    pango_layout_set_wrap(set.get(), PANGO_WRAP_WORD);
    pango_layout_set_width(set.get(), 0);
    return widthOf(set.get());
}

void Typesetter::draw(cairo_t* cairo, const SetLine& line, const TextStyle& style,
                      const LinePlace& place) const {
    pango_cairo_update_context(cairo, m_context.get());
    const Direction direction(m_context.get(), line.rightToLeft);
    const PangoLayoutHandle set = layout(place.most > 0 ? windowOf(line.text) : line.text, style);
    pango_layout_set_auto_dir(set.get(), FALSE);
    if (place.most > 0) {
        pango_layout_set_width(set.get(), units(place.most));
        pango_layout_set_ellipsize(set.get(), PANGO_ELLIPSIZE_END);
    }
    PangoLayoutLine* only = pango_layout_get_line_readonly(set.get(), 0);
    double x = place.x;
    if (place.anchor != TextAnchor::Start) {
        PangoRectangle logical;
        pango_layout_line_get_extents(only, nullptr, &logical);
        x -= pango_units_to_double(logical.width) * (place.anchor == TextAnchor::End ? 1 : 0.5);
    }
    cairo_move_to(cairo, x, place.y);
    pango_cairo_show_layout_line(cairo, only);
}

double Typesetter::baseLine(const TextStyle& style) {
    // Capital letters of DejaVu Sans are 0.73 of the size high: they stand in the middle of a line.
    return style.line / 2 + 0.365 * style.size;
}

}  // namespace gatescope
