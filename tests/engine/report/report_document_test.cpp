// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/report/html_writer.h"
#include "engine/report/report_file.h"
#include "engine/report/report_json.h"
#include "tests/engine/checkpoint/test_folder.h"
#include "tests/engine/report/synthetic_report.h"

namespace gatescope::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::set<std::string> anchorsOf(const Document& document) {
    std::set<std::string> out;
    for (const DocumentBlock& block : document.blocks) {
        if (const auto* heading = std::get_if<DocumentHeading>(&block)) {
            EXPECT_TRUE(out.insert(heading->anchor).second) << heading->anchor;
        }
    }
    return out;
}

/// Every text that a page would show.
std::string allText(const Document& document) {
    return htmlPage(document, {});
}

TEST(ReportDocument, HasEverySectionOfWhatThereIs) {
    const std::set<std::string> anchors =
        anchorsOf(reportDocument(syntheticReport(smallShape(), 1), ReportLanguage::English));
    for (const char* wanted :
         {"summary", "measured", "maps", "balance", "metrics", "experts", "bias", "pairs", "cache",
          "speculation", "comparison", "placement", "limits", "definitions", "sessions"}) {
        EXPECT_TRUE(anchors.count(wanted) > 0) << wanted;
    }
}

TEST(ReportDocument, LeavesOutWhatIsNotThere) {
    ReportValue report = syntheticReport(smallShape(), 1);
    report.bias.clear();
    report.pairs.clear();
    report.cache.reset();
    report.speculation.reset();
    report.comparison.reset();
    report.placement.reset();
    report.sessions.clear();
    const std::set<std::string> anchors =
        anchorsOf(reportDocument(report, ReportLanguage::English));
    for (const char* absent :
         {"bias", "pairs", "cache", "speculation", "comparison", "placement", "sessions"}) {
        EXPECT_EQ(anchors.count(absent), 0U) << absent;
    }
}

TEST(ReportDocument, EveryTableIsAsWideAsItsTitles) {
    for (const auto language : {ReportLanguage::English, ReportLanguage::SimplifiedChinese}) {
        const Document document = reportDocument(syntheticReport(v3Shape(), 2), language);
        for (const DocumentBlock& block : document.blocks) {
            const auto* table = std::get_if<DocumentTable>(&block);
            if (table == nullptr) continue;
            for (const auto& row : table->rows) EXPECT_EQ(row.size(), table->columns.size());
        }
    }
}

/// Both languages say the same in the same order, and no text of one is left in the other.
TEST(ReportDocument, LanguagesHaveTheSameBlocks) {
    const ReportValue report = syntheticReport(smallShape(), 3);
    const Document english = reportDocument(report, ReportLanguage::English);
    const Document chinese = reportDocument(report, ReportLanguage::SimplifiedChinese);
    ASSERT_EQ(english.blocks.size(), chinese.blocks.size());
    for (std::size_t i = 0; i < english.blocks.size(); ++i) {
        ASSERT_EQ(english.blocks[i].index(), chinese.blocks[i].index()) << i;
        if (const auto* paragraph = std::get_if<DocumentParagraph>(&english.blocks[i])) {
            EXPECT_NE(paragraph->text, std::get<DocumentParagraph>(chinese.blocks[i]).text);
        }
        if (const auto* heading = std::get_if<DocumentHeading>(&english.blocks[i])) {
            EXPECT_EQ(heading->anchor, std::get<DocumentHeading>(chinese.blocks[i]).anchor);
            EXPECT_NE(heading->text, std::get<DocumentHeading>(chinese.blocks[i]).text);
        }
    }
}

TEST(ReportDocument, PromptsShowOnlyWhereWanted) {
    ReportValue report = syntheticReport(smallShape(), 4);
    report.prompts = PromptDetail::Texts;
    report.sessions.front().answers.front().prompt = "a secret <b>prompt</b>";
    EXPECT_THAT(allText(reportDocument(report, ReportLanguage::English)),
                HasSubstr("a secret &lt;b&gt;prompt&lt;/b&gt;"));
    report.prompts = PromptDetail::Hashes;
    EXPECT_THAT(allText(reportDocument(report, ReportLanguage::English)),
                Not(HasSubstr("a secret")));
}

TEST(ReportDocument, TrafficOfChatsIsNotCalledServingTraffic) {
    ReportValue report = syntheticReport(smallShape(), 5);
    report.source = ReportSource::Sessions;
    EXPECT_THAT(allText(reportDocument(report, ReportLanguage::English)),
                HasSubstr("not serving traffic"));
    report.source = ReportSource::Loads;
    report.placement.reset();
    EXPECT_THAT(allText(reportDocument(report, ReportLanguage::English)),
                Not(HasSubstr("not serving traffic")));
}

/// The promise of size: a model of 58 MoE layers of 256 experts.
TEST(ReportFile, OfAModelOfFullSizeIsBelowTenMegabytes) {
    const TestFolder folder;
    const ReportValue report = syntheticReport(v3Shape(), 6);
    writeReport(report, folder / "r.html", {});
    EXPECT_LT(std::filesystem::file_size(folder / "r.html"), 10'000'000U);
}

TEST(ReportFile, WhatIsReadAgainIsWrittenTheSame) {
    const TestFolder folder;
    ReportFileOptions options;
    options.format = ReportFormat::Json;
    writeReport(syntheticReport(smallShape(), 7), folder / "r.json", options);
    EXPECT_TRUE(looksLikeReport(folder / "r.json"));
    const ReportValue again = readReport(folder / "r.json");
    EXPECT_EQ(reportJson(again), reportJson(syntheticReport(smallShape(), 7)));
    const auto page = [](const ReportValue& report) {
        return htmlPage(reportDocument(report, ReportLanguage::English), {});
    };
    EXPECT_EQ(page(again), page(syntheticReport(smallShape(), 7)));
}

TEST(ReportFile, IsThereWholeOrNotAtAll) {
    const TestFolder folder;
    const ReportValue report = syntheticReport(smallShape(), 8);
    ReportFileOptions options;
    options.format = ReportFormat::Csv;
    options.table = "nonsense";
    EXPECT_THAT(errorOf([&] { writeReport(report, folder / "r.csv", options); }),
                testing::AllOf(HasSubstr("nonsense"), HasSubstr("metrics")));
    EXPECT_THROW(writeReport(report, folder / "r.html", {},
                             [](std::string_view, std::uint64_t, std::uint64_t) { return false; }),
                 Cancelled);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    EXPECT_EQ(reportFormatOf("a.PDF"), ReportFormat::Pdf);
    EXPECT_FALSE(reportFormatOf("a.txt"));
}

}  // namespace
}  // namespace gatescope::test
