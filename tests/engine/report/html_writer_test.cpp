// SPDX-License-Identifier: Apache-2.0
#include "engine/report/html_writer.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/report/colour_scale.h"
#include "engine/report/figure_svg.h"
#include "engine/report/html_text.h"
#include "engine/report/report_figures.h"
#include "tests/engine/report/base64_sha256.h"

namespace gatescope {
namespace {

constexpr const char* kHostile =
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload=\"x\x01\xff &amp;";

Document hostileDocument() {
    Document document;
    document.language = kHostile;
    document.title = kHostile;
    document.subtitle = kHostile;
    document.program = kHostile;
    document.contentsTitle = kHostile;
    Figure figure;
    figure.width = 100;
    figure.height = 50;
    figure.title = kHostile;
    figure.items.emplace_back(FigureText{1, 2, kHostile, 8, TextAnchor::Start, Ink::Text, false});
    FigureGrid grid{0, 0, 1, 1, 1, 1, {Ink::Accent}, kHostile};
    figure.items.emplace_back(grid);
    document.blocks = {DocumentHeading{1, kHostile, kHostile},
                       DocumentParagraph{kHostile, ParagraphKind::Warning},
                       DocumentList{{kHostile}},
                       DocumentTable{kHostile, {{kHostile}}, {{kHostile}}, true},
                       DocumentFigure{figure, kHostile},
                       DocumentVerbatim{kHostile, kHostile}};
    return document;
}

std::size_t count(const std::string& text, std::string_view what) {
    std::size_t n = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
}

TEST(HtmlPage, NothingFromOutsideIsMarkup) {
    const std::string json = nlohmann::json(std::string("</script><!--<script>")).dump();
    const std::string page = htmlPage(hostileDocument(), {json, kHostile});
    EXPECT_EQ(count(page, "<script"), 2U);
    EXPECT_EQ(count(page, "</script>"), 2U);
    EXPECT_EQ(count(page, "<img"), 0U);
    EXPECT_EQ(count(page, "<!--"), 0U);
    EXPECT_EQ(count(page, " onload=\""), 0U);
    EXPECT_EQ(page.find('\x01'), std::string::npos);
    EXPECT_EQ(page.find('\xff'), std::string::npos);
}

TEST(HtmlPage, AsksNoAddressForAnything) {
    const std::string page = htmlPage(hostileDocument(), {"{}", ""});
    for (const char* what : {"http:", "https:", "//cdn", "url(", "@import", "<link", "<iframe"}) {
        EXPECT_EQ(count(page, what), 0U) << what;
    }
    EXPECT_EQ(count(page, "default-src 'none'"), 1U);
    // The only links lead to headings of the page itself.
    EXPECT_EQ(count(page, "href=\""), count(page, "href=\"#"));
}

TEST(HtmlPage, ItsPolicyAllowsItsScriptAndNoOther) {
    EXPECT_EQ(htmlScriptHash(), "sha256-" + base64Sha256(htmlScript()));
    const std::string page = htmlPage({}, {"{}", ""});
    EXPECT_EQ(count(page, std::string(htmlScriptHash())), 1U);
    EXPECT_EQ(count(page, "<script>" + std::string(htmlScript()) + "</script>"), 1U);
}

TEST(HtmlPage, NumbersInItAreTheSameJson) {
    const nlohmann::json value{{"a", "<b> & \"c\" </script>"}, {"n", {1, 2.5, nullptr}}};
    const std::string page = htmlPage({}, {value.dump(), ""});
    const std::string_view begin = "id=\"report-data\">";
    const auto from = page.find(begin) + begin.size();
    const auto to = page.find("</script>", from);
    EXPECT_EQ(nlohmann::json::parse(page.substr(from, to - from)), value);
}

TEST(HtmlText, KeepsEveryVisibleCharacter) {
    EXPECT_EQ(htmlText("a < b & \"c\" > 'd' \u4e2d"),
              "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39; \u4e2d");
    EXPECT_EQ(htmlText("two\nlines", LineEnds::Kept), "two\nlines");
}

TEST(FigureSvg, DrawsEveryCellOnceInItsColour) {
    LoadMapFigure map;
    map.shape.layers = {3, 4};
    map.shape.mtpLayer = 5;
    map.shape.experts = 4;
    map.values = {0, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1, std::nan("")};
    map.limit = 2;
    map.unit = "q";
    const Figure figure = draw(map);
    std::size_t cells = 0;
    for (const FigureItem& item : figure.items) {
        if (const auto* grid = std::get_if<FigureGrid>(&item)) {
            if (grid->columns != 4) continue;  // the scale
            cells += grid->cells.size();
            for (std::size_t i = 0; i < grid->cells.size(); ++i) {
                const std::size_t at = (grid->rows == 2 ? 0 : 8) + i;
                const Colour wanted = std::isnan(map.values[at])
                                          ? Colour(Ink::NoData)
                                          : Colour(viridisAt(map.values[at] / 2));
                EXPECT_EQ(grid->cells[i], wanted) << at;
            }
        }
    }
    EXPECT_EQ(cells, 12U);
    const std::string svg = figureSvg(figure);
    EXPECT_NE(svg.find("M2 0h2v1h-2z"), std::string::npos);  // neighbours together
    EXPECT_NE(svg.find("var(--no-data)"), std::string::npos);
}

TEST(FigureSvg, EveryDifferenceHasItsColourOnADarkPage) {
    const std::string style = svgStyle();
    for (int i = -20; i <= 20; ++i) {
        const Rgb light = divergingAt(i / 20.0);
        ASSERT_TRUE(darkTwin(light));
        EXPECT_EQ(count(style, fmt::format("--d{:02x}{:02x}{:02x}:", light.r, light.g, light.b)),
                  2U);
    }
    EXPECT_FALSE(darkTwin(viridisAt(0.5)));
}

TEST(ColourScale, ViridisEndsWhereItIsDefined) {
    EXPECT_EQ(viridisAt(0), kViridisStops.front());
    EXPECT_EQ(viridisAt(1), kViridisStops.back());
    EXPECT_EQ(viridisAt(7), kViridisStops.back());
    EXPECT_EQ(divergingAt(0), kDivergingLight.middle);
    EXPECT_EQ(divergingAt(1), kDivergingLight.orange.back());
    EXPECT_EQ(divergingAt(-2), kDivergingLight.blue.back());
}

}  // namespace
}  // namespace gatescope
