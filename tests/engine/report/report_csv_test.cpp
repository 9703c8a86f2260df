// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_csv.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/engine/report/synthetic_report.h"

namespace gatescope {
namespace {

using Lines = std::vector<std::vector<std::string>>;

/// RFC 4180, a second time.
Lines parseCsv(std::string_view text) {
    Lines lines;
    std::vector<std::string> line(1);
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c != '"') {
                line.back() += c;
            } else if (i + 1 < text.size() && text[i + 1] == '"') {
                line.back() += text[++i];
            } else {
                quoted = false;
            }
        } else if (c == '"') {
            quoted = true;
        } else if (c == ',') {
            line.emplace_back();
        } else if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {
            lines.push_back(line);
            line.assign(1, "");
            ++i;
        } else {
            line.back() += c;
        }
    }
    return lines;
}

std::map<std::string, std::string> filesOf(const std::string& zip) {
    std::map<std::string, std::string> files;
    archive* reader = archive_read_new();
    archive_read_support_format_zip(reader);
    EXPECT_EQ(archive_read_open_memory(reader, zip.data(), zip.size()), ARCHIVE_OK);
    archive_entry* entry = nullptr;
    while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
        std::string& bytes = files[archive_entry_pathname(entry)];
        std::vector<char> piece(1 << 16);
        for (la_ssize_t n = 0; (n = archive_read_data(reader, piece.data(), piece.size())) > 0;) {
            bytes.append(piece.data(), static_cast<std::size_t>(n));
        }
    }
    archive_read_free(reader);
    return files;
}

TEST(ReportCsv, CellsAreGuardedAndNumbersThatAreNoneAreEmpty) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const ReportTable table{"t",
                            {"a", "b"},
                            {{std::string("=1+1"), nan},
                             {std::string("a,\"b\"\r\nc"), std::int64_t{-3}},
                             {std::monostate{}, 0.1}}};
    EXPECT_EQ(reportCsv(table), "a,b\r\n'=1+1,\r\n\"a,\"\"b\"\"\r\nc\",-3\r\n,0.1\r\n");
}

TEST(ReportCsv, TheArchiveHasEveryTableInFull) {
    const ReportValue report = syntheticReport(smallShape(), 1);
    const std::map<std::string, std::string> files = filesOf(reportZip(report));
    const std::vector<ReportTable> tables = reportTables(report);
    EXPECT_EQ(tables.front().name, "metrics");
    EXPECT_EQ(tables.size(), 17U);
    EXPECT_EQ(files.size(), tables.size() + 1);
    EXPECT_TRUE(files.contains("README.txt"));
    for (const ReportTable& table : tables) {
        ASSERT_TRUE(files.contains(table.name + ".csv")) << table.name;
        const Lines lines = parseCsv(files.at(table.name + ".csv"));
        ASSERT_EQ(lines.size(), table.rows.size() + 1) << table.name;
        EXPECT_EQ(lines.front(), table.columns) << table.name;
        for (const std::vector<std::string>& line : lines) {
            EXPECT_EQ(line.size(), table.columns.size()) << table.name;
        }
    }
}

TEST(ReportCsv, TheSameReportGivesTheSameBytes) {
    EXPECT_EQ(reportZip(syntheticReport(smallShape(), 3)),
              reportZip(syntheticReport(smallShape(), 3)));
}

TEST(ReportCsv, EmptyTablesAreLeftOut) {
    ReportValue report = syntheticReport(smallShape(), 1);
    report.placement.reset();
    report.sessions.clear();
    for (const ReportTable& table : reportTables(report)) {
        EXPECT_FALSE(table.rows.empty()) << table.name;
        EXPECT_NE(table.name, "sessions");
        EXPECT_NE(table.name, "placement_gpus");
    }
}

}  // namespace
}  // namespace gatescope
