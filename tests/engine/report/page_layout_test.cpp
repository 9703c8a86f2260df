// SPDX-License-Identifier: Apache-2.0
#include "engine/report/page_layout.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "engine/report/pdf_writer.h"
#include "tests/engine/report/pdf_text.h"

namespace gatescope {
namespace {

using ::testing::HasSubstr;

std::string paragraphOfLines(int lines, const std::string& name) {
    std::string text;
    for (int i = 0; i < lines; ++i) {
        text += fmt::format("{}{}({},{})", i > 0 ? "\n" : "", name, lines, i);
    }
    return text;
}

DocumentBlock following(int kind, const std::string& start) {
    switch (kind) {
        case 0:
            return DocumentParagraph{start + "\nand\nso\non\nto\nthe\nend"};
        case 1:
            return DocumentTable{
                start, {{"Row"}, {"Name"}}, {{"1", start + "row"}, {"2", "second"}}};
        case 2:
            return DocumentFigure{{200, 120, "bars", {FigureText{9, 60, start}}}, "caption"};
        case 3:
            return DocumentVerbatim{"as written", start + "\nis\nwhat\nwas\nwritten"};
        case 4:
            return DocumentList{{start, "another"}};
        default:
            return DocumentParagraph{start, ParagraphKind::Warning};
    }
}

TEST(PageLayout, AHeadingStandsOverWhatFollows) {
    for (int kind = 0; kind < 6; ++kind) {
        Document document = emptyReport();
        std::vector<std::string> starts;
        for (int i = 0; i < 40; ++i) {
            const std::string start = fmt::format("Start<{}>", i);
            document.blocks.emplace_back(
                DocumentParagraph{paragraphOfLines(5 + (i * 7) % 43, fmt::format("Fill{}", i))});
            document.blocks.emplace_back(DocumentHeading{1, fmt::format("Section<{}>", i), "s"});
            document.blocks.emplace_back(DocumentHeading{2, fmt::format("Part<{}>", i), "p"});
            document.blocks.push_back(following(kind, start));
            starts.push_back(start);
        }
        const PageLayout layout(document);
        const ReadPdf pdf(pdfBytes(document));
        for (std::size_t i = 0; i < starts.size(); ++i) {
            const int page = pdf.pageOf(starts[i] + (kind == 1 ? "row" : ""));
            EXPECT_EQ(static_cast<int>(layout.headings()[2 * i].page), page) << kind << " " << i;
            EXPECT_EQ(static_cast<int>(layout.headings()[2 * i + 1].page), page)
                << kind << " " << i;
        }
    }
}

TEST(PageLayout, NoLineOfAParagraphStandsAlone) {
    Document document = emptyReport();
    for (int lines = 2; lines < 60; ++lines) {
        document.blocks.emplace_back(DocumentParagraph{paragraphOfLines(lines, "p")});
    }
    const ReadPdf pdf(pdfBytes(document));
    std::map<int, std::map<int, int>> onPage;
    for (int page = 0; page < pdf.pages(); ++page) {
        const std::string text = pdf.text(page);
        for (int lines = 2; lines < 60; ++lines) {
            for (int i = 0; i < lines; ++i) {
                if (text.find(fmt::format("p({},{})", lines, i)) != std::string::npos) {
                    ++onPage[lines][page];
                }
            }
        }
    }
    int broken = 0;
    for (const auto& [lines, pages] : onPage) {
        int found = 0;
        for (const auto& [page, count] : pages) {
            EXPECT_GE(count, 2) << lines << " lines, page " << page;
            found += count;
        }
        EXPECT_EQ(found, lines);
        broken += pages.size() > 1 ? 1 : 0;
    }
    EXPECT_GT(broken, 10);
}

TEST(PageLayout, AFigureIsScaledToThePageAndStandsWithItsCaption) {
    Document document = emptyReport();
    for (int i = 0; i < 20; ++i) {
        Figure figure{100.0 + 90 * i, 120 + 140.0 * (i % 9), "f", {}};
        figure.items.emplace_back(FigureText{0, 10, fmt::format("first<{}>", i), 12});
        figure.items.emplace_back(FigureText{figure.width, figure.height - 2,
                                             fmt::format("last<{}>", i), 12, TextAnchor::End});
        document.blocks.emplace_back(DocumentFigure{figure, fmt::format("Caption<{}>", i)});
    }
    const ReadPdf pdf(pdfBytes(document));
    for (int i = 0; i < 20; ++i) {
        const int page = pdf.pageOf(fmt::format("Caption<{}>", i));
        EXPECT_THAT(pdf.text(page), HasSubstr(fmt::format("first<{}>", i)));
        EXPECT_THAT(pdf.text(page), HasSubstr(fmt::format("last<{}>", i)));
    }
}

TEST(PageLayout, HeadingsSayWhereTheyAre) {
    Document document = emptyReport();
    document.blocks = {DocumentHeading{1, "One\nline", "a"},
                       DocumentParagraph{paragraphOfLines(80, "x")}, DocumentHeading{2, "Two", "b"},
                       DocumentParagraph{"end"}};
    const PageLayout layout(document);
    ASSERT_EQ(layout.headings().size(), 2U);
    EXPECT_EQ(layout.headings()[0].text, "One line");
    EXPECT_EQ(layout.headings()[0].page, 0U);
    EXPECT_EQ(layout.headings()[1].level, 2);
    EXPECT_EQ(layout.headings()[1].page, 1U);
    EXPECT_EQ(layout.pages(), 2U);
}

}  // namespace
}  // namespace gatescope
