// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

#include "engine/error.h"
#include "engine/report/html_writer.h"
#include "engine/report/pdf_writer.h"
#include "engine/report/report_csv.h"
#include "engine/report/report_document.h"
#include "engine/report/report_json.h"
#include "engine/report/report_tables.h"
#include "engine/session/atomic_file.h"

namespace gatescope {

namespace {

constexpr std::uintmax_t kLargestReport = std::uintmax_t{1} << 30;

constexpr std::array kFormats{ReportFormat::Html, ReportFormat::Pdf, ReportFormat::Csv,
                              ReportFormat::Zip, ReportFormat::Json};

std::string html(const ReportValue& report, ReportLanguage language) {
    const std::string json = reportJson(report);
    const ReportWords words(language);
    return htmlPage(reportDocument(report, language),
                    {json, words("layer {0}, expert {1}: chosen {2} times, relative load {3}",
                                 "第 {0} 层，专家 {1}：被选中 {2} 次，相对负载 {3}")});
}

std::string csv(const ReportValue& report, const std::string& wanted) {
    std::string names;
    for (const ReportTable& table : reportTables(report)) {
        if (table.name == wanted) return reportCsv(table);
        names += (names.empty() ? "" : ", ") + table.name;
    }
    throw Error(fmt::format("the report has no table \"{}\"; it has {}", wanted, names));
}

void step(const Progress& progress, std::uint64_t done) {
    if (progress && !progress("writing the report", done, 2)) throw Cancelled();
}

}  // namespace

std::string_view extension(ReportFormat format) {
    switch (format) {
        case ReportFormat::Html:
            return ".html";
        case ReportFormat::Pdf:
            return ".pdf";
        case ReportFormat::Csv:
            return ".csv";
        case ReportFormat::Zip:
            return ".zip";
        case ReportFormat::Json:
            return ".json";
    }
    return "";
}

std::optional<ReportFormat> reportFormatOf(const std::filesystem::path& file) {
    std::string ending = file.extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const ReportFormat format : kFormats) {
        if (extension(format) == ending) return format;
    }
    return {};
}

void writeReport(const ReportValue& report, const std::filesystem::path& file,
                 const ReportFileOptions& options, const Progress& progress) {
    step(progress, 0);
    AtomicFile out(file);
    switch (options.format) {
        case ReportFormat::Html:
            out.write(html(report, options.language));
            break;
        case ReportFormat::Pdf:
            writePdf(
                reportDocument(report, options.language),
                [&out](std::string_view bytes) { out.write(bytes); }, progress);
            break;
        case ReportFormat::Csv:
            out.write(csv(report, options.table));
            break;
        case ReportFormat::Zip:
            out.write(reportZip(report));
            break;
        case ReportFormat::Json:
            out.write(reportJson(report));
            break;
    }
    step(progress, 1);
    out.commit();
}

ReportValue readReport(const std::filesystem::path& file) {
    std::error_code failed;
    const std::uintmax_t size = std::filesystem::file_size(file, failed);
    if (failed) throw fileError(file.string(), "", "it cannot be read: " + failed.message());
    if (size > kLargestReport) throw fileError(file.string(), "", "it is too large for a report");
    std::ifstream in(file, std::ios::binary);
    std::string bytes(static_cast<std::size_t>(size), '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!in) throw fileError(file.string(), "", "it cannot be read");
    return reportFromJson(bytes, file.string());
}

bool looksLikeReport(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    char first = 0;
    in >> first;
    return in.good() && first == '{';
}

}  // namespace gatescope
