// SPDX-License-Identifier: Apache-2.0
#include "engine/report/page_images.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "engine/report/inks.h"
#include "tests/engine/report/pdf_text.h"

namespace gatescope {
namespace {

std::uint32_t argb(Rgb rgb) {
    return 0xFF000000U | static_cast<std::uint32_t>(rgb.r << 16 | rgb.g << 8 | rgb.b);
}

std::uint32_t pixel(const PageImage& image, double x, double y) {
    return image.pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) +
                        static_cast<std::size_t>(x)];
}

Document longReport() {
    Document document = emptyReport();
    DocumentTable table{"Wide", {{"Row", true}, {"Text"}, {"Hash", false, true}}, {}};
    for (int i = 0; i < 120; ++i) {
        table.rows.push_back({std::to_string(i), std::string(400, 'w'), std::string(64, 'f')});
    }
    document.blocks = {DocumentHeading{1, std::string(300, 'W'), "h"},
                       DocumentParagraph{std::string(9000, 'W'), ParagraphKind::Warning},
                       DocumentVerbatim{"", std::string(9000, 'W')}, table,
                       DocumentFigure{{2000, 40, "", {FigureRect{0, 0, 2000, 40}}}, ""}};
    return document;
}

TEST(PagePreview, PaperIsWhiteAndNothingStandsInItsMargins) {
    const PagePreview preview(longReport());
    ASSERT_GT(preview.pages(), 4U);
    constexpr double kScale = 0.7;
    for (std::size_t page = 0; page < preview.pages(); ++page) {
        const PageImage image = preview.image(page, kScale);
        int dark = 0;
        for (int y = 0; y < image.height; ++y) {
            for (int x = 0; x < image.width; ++x) {
                const std::uint32_t colour = pixel(image, x, y);
                ASSERT_EQ(colour >> 24, 0xFFU);
                const bool margin = x < 50 * kScale || x > (kWidth - 50) * kScale ||
                                    y < 50 * kScale || y > (kHeight - 24) * kScale;
                ASSERT_TRUE(!margin || colour == 0xFFFFFFFFU) << page << ": " << x << ", " << y;
                dark += colour != 0xFFFFFFFFU ? 1 : 0;
            }
        }
        EXPECT_GT(dark, 100) << page;
    }
}

TEST(PagePreview, SizeFollowsTheScale) {
    const PagePreview preview(emptyReport());
    const PageImage image = preview.image(0, 2);
    EXPECT_EQ(image.width, 1191);
    EXPECT_EQ(image.height, 1684);
    EXPECT_EQ(image.stride, 4 * 1191);
    EXPECT_EQ(image.pixels.size(), 1191U * 1684U);
    for (const double scale : {0.0, -1.0, 1e-9, 17.0, std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()}) {
        EXPECT_THROW(preview.image(0, scale), Error) << scale;
    }
}

/// Every cell and ink in the place and colour that the figure says.
TEST(PagePreview, AGridShowsEveryCellInItsColour) {
    constexpr Rgb kMark{255, 0, 255};
    FigureGrid grid{20, 30, 6, 4, 12, 16, {}, ""};
    std::vector<std::uint32_t> wanted;
    for (int i = 0; i < grid.rows * grid.columns; ++i) {
        if (i % 11 == 0) {
            grid.cells.emplace_back(Ink::NoData);
            wanted.push_back(argb(kLightInks.noData));
        } else {
            const Rgb colour{static_cast<std::uint8_t>(i * 37 % 8 * 30), 20,
                             static_cast<std::uint8_t>(i * 53 % 5 * 50)};
            grid.cells.emplace_back(colour);
            wanted.push_back(argb(colour));
        }
    }
    Document document = emptyReport();
    document.blocks = {DocumentFigure{{200, 100, "", {FigureRect{0, 0, 8, 8, kMark}, grid}}, ""}};
    constexpr double kScale = 4;
    const PageImage image = PagePreview(document).image(0, kScale);
    int left = -1;
    int top = -1;
    for (int y = 0; y < image.height && top < 0; ++y) {
        for (int x = 0; x < image.width && top < 0; ++x) {
            if (pixel(image, x, y) == argb(kMark)) {
                left = x;
                top = y;
            }
        }
    }
    ASSERT_GE(top, 0);
    for (int row = 0; row < grid.rows; ++row) {
        for (int column = 0; column < grid.columns; ++column) {
            const double x = left + (grid.x + (column + 0.5) * grid.cellWidth) * kScale;
            const double y = top + (grid.y + (row + 0.5) * grid.cellHeight) * kScale;
            EXPECT_EQ(pixel(image, x, y), wanted[static_cast<std::size_t>(row * 16 + column)])
                << row << ", " << column;
        }
    }
}

TEST(PagePreview, PagesAreTheSameWheneverAndWhereverTheyAreDrawn) {
    const PagePreview preview(longReport());
    const PageImage small = preview.image(1, 0.5);
    preview.image(2, 3);
    EXPECT_TRUE(preview.image(1, 0.5).pixels == small.pixels);
    std::vector<PageImage> others(2);
    {
        std::vector<std::jthread> threads;
        for (PageImage& other : others) {
            threads.emplace_back([&] { other = PagePreview(longReport()).image(1, 0.5); });
        }
    }
    EXPECT_TRUE(others[0].pixels == small.pixels);
    EXPECT_TRUE(others[1].pixels == small.pixels);
}

TEST(PagePreview, CanBeCancelled) {
    EXPECT_THROW(PagePreview(longReport(), [](auto, auto, auto) { return false; }), Cancelled);
}

}  // namespace
}  // namespace gatescope
