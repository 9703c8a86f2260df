// SPDX-License-Identifier: Apache-2.0
#include "engine/report/pdf_writer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poppler-destination.h>
#include <poppler-font.h>
#include <poppler-toc.h>

#include <algorithm>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "engine/report/page_layout.h"
#include "tests/engine/report/pdf_text.h"

namespace gatescope {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Random documents, and what has to be read in them.
class RandomReport {
  public:
    explicit RandomReport(unsigned seed) : m_random(seed), document(emptyReport()) {
        document.title = words(3);
        document.subtitle = words(5);
        for (int i = 0; i < 20; ++i) {
            addBlock();
        }
    }

    /// Without white space, and without titles of columns, which stand on any number of pages.
    std::string expected() const {
        const PageLayout layout(document);
        std::string contents;
        for (const PageHeading& heading : layout.headings()) {
            contents += heading.text + std::to_string(heading.page + 1);
        }
        return squeezed(document.title + document.subtitle + document.program +
                        "\u00B72025-11-26T09:40:00Z" +
                        (contents.empty() ? "" : document.contentsTitle) + contents + m_said);
    }

  private:
    std::mt19937 m_random;
    std::string m_said;

  public:
    Document document;

  private:
    unsigned below(unsigned end) { return static_cast<unsigned>(m_random() % end); }
    std::string word() {
        static const std::vector<std::string> letters = {
            "a", "f",      "i",      "n",      "W",      "0",      "7",      "-",
            ".", "\u00E9", "\u0416", "\u03B1", "\u8DEF", "\u7531", "\u4E13", "\u5BB6"};
        std::string out;
        const unsigned size = below(20) == 0 ? 60 : 1 + below(9);
        for (unsigned i = 0; i < size; ++i) {
            out += letters[below(static_cast<unsigned>(letters.size()))];
        }
        return out;
    }
    std::string words(unsigned most) {
        std::string out = word();
        for (unsigned i = below(most); i > 0; --i) {
            out += " " + word();
        }
        return out;
    }
    std::string said(std::string text) {
        m_said += text;
        return text;
    }
    void addTable() {
        DocumentTable table;
        table.caption = said(words(8));
        // Of cells side by side a long row shows on every page a part: they would be read in turns.
        const unsigned columns = 1 + below(6);
        for (unsigned c = 0; c < columns; ++c) {
            table.columns.push_back({"[TITLE]", below(2) == 0, below(4) == 0});
        }
        for (unsigned row = below(90); row > 0; --row) {
            table.rows.emplace_back();
            for (unsigned c = 0; c < columns; ++c) {
                table.rows.back().push_back(said(words(columns == 1 && below(9) == 0 ? 400 : 3)));
            }
        }
        document.blocks.emplace_back(table);
    }
    void addList() {
        DocumentList list;
        for (const unsigned most : {60U, 5U, 1U}) {
            m_said += "\u2022";
            list.items.push_back(said(words(most)));
        }
        document.blocks.emplace_back(list);
    }
    void addFigure() {
        DocumentFigure block;
        block.figure.width = 500 + below(400);  // no letters reach beyond the paper
        block.figure.height = 50 + below(1200);
        const unsigned lines = 1 + below(4);
        for (unsigned i = 0; i < lines; ++i) {
            block.figure.items.emplace_back(FigureText{5, 10 + 10.0 * i, said(word())});
        }
        block.caption = said(words(20));
        document.blocks.emplace_back(block);
    }
    void addBlock() {
        switch (below(7)) {
            case 0:
                document.blocks.emplace_back(
                    DocumentHeading{1 + static_cast<int>(below(2)), said(words(6)), "h"});
                break;
            case 1:
                addList();
                break;
            case 2:
                addTable();
                break;
            case 3:
                addFigure();
                break;
            case 4: {
                const std::string caption = said(words(5));
                document.blocks.emplace_back(
                    DocumentVerbatim{caption, said(words(200) + "\n" + words(400))});
                break;
            }
            default:
                document.blocks.emplace_back(
                    DocumentParagraph{said(words(200)), static_cast<ParagraphKind>(below(3))});
        }
    }
};

std::string without(std::string text, const std::string& part) {
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) {
        text.erase(at, part.size());
    }
    return text;
}

/// Empty for none.
std::string firstDifference(const std::string& read, const std::string& wanted) {
    const auto size = std::min(read.size(), wanted.size());
    std::size_t at = 0;
    while (at < size && read[at] == wanted[at]) {
        ++at;
    }
    return read == wanted ? std::string()
                          : fmt::format("byte {}: {} instead of {}", at, read.substr(at, 60),
                                        wanted.substr(at, 60));
}

Document hostileReport(const std::string& text) {
    Document document = emptyReport();
    document.language = text;
    document.title = text;
    document.subtitle = text;
    document.program = text;
    document.contentsTitle = text;
    document.pageOf = text;
    Figure figure{60, 40, text, {FigureText{5, 20, text}}};
    document.blocks = {DocumentHeading{-3, text, text},
                       DocumentHeading{9, text, text},
                       DocumentParagraph{text},
                       DocumentList{{text, text}},
                       DocumentTable{text, {{text}, {text, true, true}}, {{text, text}, {}}},
                       DocumentFigure{figure, text},
                       DocumentVerbatim{text, text}};
    return document;
}

std::string paragraphRead(const std::string& text) {
    Document document = emptyReport();
    document.blocks = {DocumentParagraph{"BEGIN " + text + " END"}};
    return ReadPdf(pdfBytes(document)).text();
}

DocumentTable numberedTable(int rows) {
    DocumentTable table{"All rows", {{"Row", true}, {"Name"}}, {}};
    for (int i = 0; i < rows; ++i) {
        table.rows.push_back({std::to_string(i), fmt::format("<{}>", i)});
    }
    return table;
}

TEST(PdfWriter, EveryWordComesOutInOrder) {
    for (unsigned seed = 1; seed <= 3; ++seed) {
        const RandomReport report(seed);
        const ReadPdf pdf(pdfBytes(report.document));
        EXPECT_EQ(firstDifference(without(squeezed(pdf.text()), "[TITLE]"), report.expected()), "")
            << "seed " << seed;
    }
}

TEST(PdfWriter, TitlesOfATableStandOnEveryPage) {
    Document document = emptyReport();
    document.blocks = {numberedTable(500)};
    const ReadPdf pdf(pdfBytes(document));
    ASSERT_GT(pdf.pages(), 5);
    int next = 0;
    for (int page = 0; page < pdf.pages(); ++page) {
        const std::string text = pdf.text(page);
        EXPECT_THAT(squeezed(text), HasSubstr(fmt::format("RowName{}<{}>", next, next)));
        while (text.find(fmt::format("<{}>", next)) != std::string::npos) {
            ++next;
        }
        EXPECT_THAT(pdf.footer(page), HasSubstr("A report"));
        EXPECT_THAT(pdf.footer(page),
                    HasSubstr(fmt::format("page {} of {}", page + 1, pdf.pages())));
    }
    EXPECT_EQ(next, 500);
}

TEST(PdfWriter, TheSameDocumentGivesTheSameBytes) {
    const RandomReport report(11);
    const std::string bytes = pdfBytes(report.document);
    std::vector<std::string> others(2);
    {
        std::vector<std::jthread> threads;
        for (std::string& other : others) {
            threads.emplace_back([&] { other = pdfBytes(report.document); });
        }
    }
    EXPECT_TRUE(pdfBytes(report.document) == bytes);
    EXPECT_TRUE(others[0] == bytes);
    EXPECT_TRUE(others[1] == bytes);
    std::string streamed;
    writePdf(report.document, [&](std::string_view part) { streamed += part; });
    EXPECT_TRUE(streamed == bytes);
}

TEST(PdfWriter, OutlineAndLinksLeadToTheHeadings) {
    Document document = emptyReport();
    for (int i = 0; i < 6; ++i) {
        document.blocks.emplace_back(DocumentHeading{1 + i % 2, fmt::format("Part {}", i), "p"});
        document.blocks.emplace_back(numberedTable(40));
    }
    const PageLayout layout(document);
    ReadPdf pdf(pdfBytes(document));
    const auto destinations = pdf.document().create_destination_map();
    ASSERT_EQ(layout.headings().size(), 6U);
    for (std::size_t i = 0; i < 6; ++i) {
        const PageHeading& heading = layout.headings()[i];
        const auto found = destinations.find(PageLayout::targetOf(i));
        ASSERT_NE(found, destinations.end()) << i;
        EXPECT_EQ(found->second.page_number(), static_cast<int>(heading.page) + 1);
        EXPECT_NEAR(kHeight - found->second.top(), heading.y, 0.1);
        EXPECT_THAT(pdf.text(static_cast<int>(heading.page)), HasSubstr(heading.text));
    }
    const std::unique_ptr<poppler::toc> outline(pdf.document().create_toc());
    ASSERT_TRUE(outline);
    const auto sections = outline->root()->children();
    ASSERT_EQ(sections.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(ReadPdf::utf8(sections[i]->title()), fmt::format("Part {}", 2 * i));
        ASSERT_EQ(sections[i]->children().size(), 1U);
        EXPECT_EQ(ReadPdf::utf8(sections[i]->children()[0]->title()),
                  fmt::format("Part {}", 2 * i + 1));
    }
}

TEST(PdfWriter, MetadataIsTheDocuments) {
    Document document = emptyReport();
    document.title = "\u8DEF\u7531 report";
    ReadPdf pdf(pdfBytes(document));
    EXPECT_EQ(ReadPdf::utf8(pdf.document().info_key("Title")), document.title);
    EXPECT_EQ(ReadPdf::utf8(pdf.document().info_key("Creator")), "Gatescope 1");
    EXPECT_EQ(pdf.document().info_date_t("CreationDate"), 1'764'150'000);
    int major = 0;
    int minor = 0;
    pdf.document().get_pdf_version(&major, &minor);
    EXPECT_EQ(fmt::format("{}.{}", major, minor), "1.5");
}

TEST(PdfWriter, NothingRunsOrLeadsOut) {
    const std::string bytes = pdfBytes(RandomReport(5).document);
    for (const char* action : {"/URI", "/JavaScript", "/JS", "/Launch", "/OpenAction", "/GoToR",
                               "/SubmitForm", "/EmbeddedFile", "/AA"}) {
        EXPECT_EQ(bytes.find(action), std::string::npos) << action;
    }
}

TEST(PdfWriter, HostileStringsAreReadAndChangeNothing) {
    const std::string nul("a\0b", 3);
    EXPECT_THAT(paragraphRead(nul), HasSubstr("BEGIN a\\x00b END"));
    EXPECT_THAT(paragraphRead("\x1b[31m\x7f"), HasSubstr("\\x1B[31m\\x7F END"));
    EXPECT_THAT(paragraphRead("\xff\xc0\xaf \xe4\xb8"), HasSubstr("\uFFFD\uFFFD\uFFFD \uFFFD END"));
    EXPECT_THAT(paragraphRead("\u202Eabc"), HasSubstr("BEGIN \\u202Eabc END"));
    EXPECT_THAT(paragraphRead(") Tj ET endstream (\\"),
                HasSubstr("BEGIN ) Tj ET endstream (\\ END"));
    EXPECT_THAT(paragraphRead("<b>&amp;</b>"), HasSubstr("BEGIN <b>&amp;</b> END"));
    const std::string rightToLeft = paragraphRead("\u05E9\u05DC\u05D5\u05DD");
    EXPECT_THAT(rightToLeft, HasSubstr("BEGIN"));
    EXPECT_THAT(rightToLeft, HasSubstr("END"));
    const std::string word(100'000, 'w');
    EXPECT_THAT(squeezed(paragraphRead(word)), HasSubstr("BEGIN" + word + "END"));
}

TEST(PdfWriter, HostileStringsAnywhereMakeAPdf) {
    std::mt19937 random(3);
    std::string noise;
    for (int i = 0; i < 800; ++i) {
        noise += static_cast<char>(random() & 0xFF);
    }
    std::string letters;
    for (int i = 0; i < 300; ++i) {
        letters += std::string("e\u0301\U0001F600\u200D\u05E9\uFEFF\u0E33'])}{%\\").substr(i % 20);
    }
    for (const std::string& text :
         {noise, letters, std::string("\0", 1), std::string("{}{}{}' name='x"),
          std::string("\n\r\t"), std::string(5000, 'W'), std::string()}) {
        ReadPdf pdf(pdfBytes(hostileReport(text)));
        EXPECT_GE(pdf.pages(), 1);
        EXPECT_THAT(pdf.document().create_destination_map(), ::testing::SizeIs(2));
    }
}

TEST(PdfWriter, ALongCellGoesOnOnTheNextPage) {
    Document document = emptyReport();
    DocumentTable table = numberedTable(3);
    std::string cell;
    for (int i = 0; i < 400; ++i) {
        cell += fmt::format("line{}\n", i);
    }
    table.rows[1][1] = cell;
    document.blocks = {table};
    const ReadPdf pdf(pdfBytes(document));
    EXPECT_GT(pdf.pages(), 4);
    EXPECT_EQ(
        without(squeezed(pdf.text()), "RowName"),
        squeezed("Areport Gatescope1\u00B72025-11-26T09:40:00Z Allrows 0<0> 1" + cell + "2<2>"));
}

TEST(PdfWriter, AnEmptyDocumentIsAPage) {
    EXPECT_EQ(ReadPdf(pdfBytes(Document())).pages(), 1);
    const ReadPdf pdf(pdfBytes(emptyReport()));
    EXPECT_EQ(pdf.pages(), 1);
    EXPECT_THAT(pdf.text(), Not(HasSubstr("Contents")));
    EXPECT_THAT(pdf.footer(0), HasSubstr("page 1 of 1"));
    Document document = emptyReport();
    document.blocks = {DocumentTable{"none", {{"Row"}}, {}},
                       DocumentTable{"no columns", {}, {}},
                       DocumentList{},
                       DocumentFigure{},
                       DocumentVerbatim{},
                       DocumentParagraph{}};
    EXPECT_THAT(ReadPdf(pdfBytes(document)).text(), HasSubstr("Row"));
}

TEST(PdfWriter, HanCharactersHaveTheirSimplifiedForms) {
    Document document = emptyReport();
    document.language = "zh-Hans";
    document.blocks = {DocumentParagraph{"\u76F4\u9AA8"}};
    ReadPdf pdf(pdfBytes(document));
    bool found = false;
    for (const poppler::font_info& font : pdf.document().fonts()) {
        EXPECT_TRUE(font.is_embedded() && font.is_subset()) << font.name();
        found = found || font.name().find("CJKsc") != std::string::npos;
    }
    EXPECT_TRUE(found);
}

TEST(PdfWriter, CanBeCancelledAtAnyCall) {
    Document document = emptyReport();
    document.blocks = {numberedTable(1500), DocumentHeading{1, "Last", "l"}};
    int calls = 0;
    const std::string whole =
        pdfBytes(document, [&](auto, std::uint64_t done, std::uint64_t total) {
            EXPECT_LE(done, total);
            ++calls;
            return true;
        });
    ASSERT_GT(calls, 20);
    EXPECT_TRUE(whole == pdfBytes(document));
    for (int last = 0; last < calls; last += 5) {
        int left = last;
        EXPECT_THROW(pdfBytes(document, [&](auto, auto, auto) { return left-- > 0; }), Cancelled);
    }
}

TEST(PdfWriter, WhatTheSinkThrowsIsThrownOn) {
    const Document document = emptyReport();
    EXPECT_THROW(writePdf(document, [](std::string_view) { throw std::out_of_range("disk full"); }),
                 std::out_of_range);
    std::size_t bytes = 0;
    EXPECT_THROW(writePdf(document,
                          [&](std::string_view part) {
                              bytes += part.size();
                              if (bytes > 2000) {
                                  throw Error("disk full");
                              }
                          }),
                 Error);
}

std::string errorOf(const DocumentBlock& block) {
    Document document = emptyReport();
    document.blocks = {block};
    try {
        pdfBytes(document);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(PdfWriter, BlocksThatContradictThemselvesAreErrors) {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    constexpr double kFar = std::numeric_limits<double>::infinity();
    FigureGrid grid{0, 0, 1, 1, 2, 3, {Ink::Text}, ""};
    EXPECT_THAT(errorOf(DocumentFigure{{100, 100, "Map", {grid}}, ""}),
                "report: figure \"Map\": a grid of 2 x 3 has 1 cells");
    grid.rows = -1;
    EXPECT_THAT(errorOf(DocumentFigure{{100, 100, "Map", {grid}}, ""}), HasSubstr("has 1 cells"));
    EXPECT_THAT(errorOf(DocumentFigure{{kNan, 100, "Map", {}}, ""}), HasSubstr("\"Map\": nan"));
    EXPECT_THAT(errorOf(DocumentFigure{{10, 10, "Map", {FigureRect{0, 0, kFar, 1}}}, ""}),
                HasSubstr("inf is no place"));
    EXPECT_THAT(errorOf(DocumentFigure{{10, 10, "Map", {FigureLine{{{0, kNan}}}}}, ""}),
                HasSubstr("nan is no place"));
    EXPECT_EQ(errorOf(DocumentTable{"Loads", {{"a"}}, {{"1"}, {"1", "2"}}}),
              "report: Loads: row 2 has 2 cells for 1 columns");
}

TEST(PdfWriter, AReportOfManyRowsStaysSmall) {
    Document document = emptyReport();
    FigureGrid grid{0, 0, 1.8, 2.8, 58, 256, {}, ""};
    for (int i = 0; i < 58 * 256; ++i) {
        const auto value = static_cast<std::uint8_t>(i * 2'654'435'761U >> 24);
        grid.cells.emplace_back(Rgb{value, 80, static_cast<std::uint8_t>(255 - value)});
    }
    document.blocks = {DocumentFigure{{480, 170, "Map", {grid}}, ""}, numberedTable(3000)};
    const std::string bytes = pdfBytes(document);
    EXPECT_LT(bytes.size(), 1U << 20);
    EXPECT_THAT(ReadPdf(bytes).text(), HasSubstr("<2999>"));
}

}  // namespace
}  // namespace gatescope
