// SPDX-License-Identifier: Apache-2.0
#include "engine/report/page_layout.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "engine/report/figure_cairo.h"
#include "engine/report/inks.h"
#include "engine/report/page_setter.h"
#include "engine/report/visible_text.h"

namespace gatescope {
namespace {

void setInk(cairo_t* cairo, Ink ink) {
    const Rgb rgb = kLightInks.of(ink);
    cairo_set_source_rgb(cairo, rgb.r / 255.0, rgb.g / 255.0, rgb.b / 255.0);
}

/// "page {} of {}" with the numbers in it.
std::string pageNumber(const std::string& pattern, std::size_t page, std::size_t pages) {
    std::string text = pattern;
    std::size_t from = 0;
    for (const std::size_t number : {page, pages}) {
        const std::size_t place = text.find("{}", from);
        if (place == std::string::npos) {
            break;
        }
        const std::string digits = std::to_string(number);
        text.replace(place, 2, digits);
        from = place + digits.size();
    }
    return visibleText(text, LineEnds::Folded);
}

}  // namespace

struct PageLayout::Impl {
    Impl(const Document& source, const Progress& progress)
        : document(source), typesetter(visibleText(source.language, LineEnds::Folded)) {
        PageSetter setter(document, typesetter, progress);
        setter.set();
        pages = setter.takePages();
        headings = setter.takeHeadings();
    }

    void draw(cairo_t* cairo, const PlacedLine& item) const {
        setInk(cairo, item.style.ink);
        typesetter.draw(cairo, item.line, item.style, item.place);
    }
    void draw(cairo_t* cairo, const PlacedBox& item) const {
        setInk(cairo, std::get<Ink>(item.box.fill));
        cairo_rectangle(cairo, item.box.x, item.box.y, item.box.width, item.box.height);
        cairo_fill(cairo);
    }
    void draw(cairo_t* cairo, const PlacedFigure& item) const {
        cairo_save(cairo);
        cairo_translate(cairo, item.x, item.y);
        cairo_scale(cairo, item.scale, item.scale);
        drawFigure(cairo, *item.figure, typesetter);
        cairo_restore(cairo);
    }
    void draw(cairo_t* cairo, const PlacedTable& item) const {
        item.table->draw(cairo, item.part, kSideMargin, item.y);
    }
    void draw(cairo_t* cairo, const PlacedTarget& item) const {
        const std::string name =
            fmt::format("name='{}' x={:.2f} y={:.2f}", targetOf(item.heading), kSideMargin, item.y);
        cairo_tag_begin(cairo, CAIRO_TAG_DEST, name.c_str());
        cairo_tag_end(cairo, CAIRO_TAG_DEST);
    }
    void draw(cairo_t* cairo, const PlacedReference& item) const;
    void drawFooter(cairo_t* cairo, std::size_t page) const;

    const Document& document;
    Typesetter typesetter;
    std::vector<std::vector<PageItem>> pages;
    std::vector<PageHeading> headings;
};

void PageLayout::Impl::draw(cairo_t* cairo, const PlacedReference& item) const {
    const std::string number = std::to_string(headings[item.heading].page + 1);
    const double right = kSideMargin + kTextWidth;
    const double dotsTo = right - typesetter.width(number, item.style) - 4;
    if (dotsTo > item.dotsFrom) {
        setInk(cairo, Ink::Line);
        cairo_save(cairo);
        cairo_set_line_width(cairo, 0.8);
        cairo_set_line_cap(cairo, CAIRO_LINE_CAP_ROUND);
        const std::array<double, 2> dots = {0, 4};
        cairo_set_dash(cairo, dots.data(), 2, item.dotsFrom - dotsTo);
        cairo_move_to(cairo, item.dotsFrom, item.y - 0.5);
        cairo_line_to(cairo, dotsTo, item.y - 0.5);
        cairo_stroke(cairo);
        cairo_restore(cairo);
    }
    setInk(cairo, Ink::Text);
    typesetter.draw(cairo, {number}, item.style,
                    {.x = right, .y = item.y, .anchor = TextAnchor::End});
    const std::string link =
        fmt::format("dest='{}' rect=[{:.2f} {:.2f} {:.2f} {:.2f}]", targetOf(item.heading),
                    item.link.x, item.link.y, item.link.width, item.link.height);
    cairo_tag_begin(cairo, CAIRO_TAG_LINK, link.c_str());
    cairo_tag_end(cairo, CAIRO_TAG_LINK);
}

void PageLayout::Impl::drawFooter(cairo_t* cairo, std::size_t page) const {
    const std::string number = pageNumber(document.pageOf, page + 1, pages.size());
    const double right = kSideMargin + kTextWidth;
    constexpr double kMostNumber = 0.4 * kTextWidth;
    setInk(cairo, kFooterStyle.ink);
    typesetter.draw(
        cairo, {visibleText(document.title, LineEnds::Folded)}, kFooterStyle,
        {.x = kSideMargin, .y = kFooterBaseLine, .most = kTextWidth - kMostNumber - 12});
    typesetter.draw(
        cairo, {number}, kFooterStyle,
        {.x = right, .y = kFooterBaseLine, .anchor = TextAnchor::End, .most = kMostNumber});
}

PageLayout::PageLayout(const Document& document, const Progress& progress)
    : m_impl(std::make_unique<Impl>(document, progress)) {}
PageLayout::~PageLayout() = default;
PageLayout::PageLayout(PageLayout&&) noexcept = default;

std::size_t PageLayout::pages() const {
    return m_impl->pages.size();
}

const std::vector<PageHeading>& PageLayout::headings() const {
    return m_impl->headings;
}

std::string PageLayout::targetOf(std::size_t heading) {
    return fmt::format("heading-{}", heading + 1);
}

void PageLayout::draw(std::size_t page, _cairo* cairo) const {
    for (const PageItem& item : m_impl->pages.at(page)) {
        std::visit([&](const auto& part) { m_impl->draw(cairo, part); }, item);
    }
    m_impl->drawFooter(cairo, page);
}

}  // namespace gatescope
