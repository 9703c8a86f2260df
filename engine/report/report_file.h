// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/progress.h"
#include "engine/report/report_value.h"
#include "engine/report/report_words.h"

namespace gatescope {

enum class ReportFormat : std::uint8_t {
    Html,
    Pdf,
    Csv,   ///< one of the tables
    Zip,   ///< all tables as CSV
    Json,  ///< all of it; can be opened again
};
/// With its dot: ".html", ".pdf", ".csv", ".zip", ".json".
std::string_view extension(ReportFormat format);
/// By the name's ending, in upper or lower case.
std::optional<ReportFormat> reportFormatOf(const std::filesystem::path& file);

struct ReportFileOptions {
    ReportFormat format = ReportFormat::Html;
    ReportLanguage language = ReportLanguage::English;  ///< of Html and Pdf
    std::string table = "metrics";                      ///< of Csv
};

/// Writes a report; the file is there whole or not at all. Throws Error naming the file, or the
/// tables there are where the one asked for is none of them; Cancelled.
void writeReport(const ReportValue& report, const std::filesystem::path& file,
                 const ReportFileOptions& options, const Progress& progress = {});

/// A file written with ReportFormat::Json. Throws Error naming file, item and cause.
ReportValue readReport(const std::filesystem::path& file);
/// The file begins as JSON does: a report, not a session file.
bool looksLikeReport(const std::filesystem::path& file);

}  // namespace gatescope
