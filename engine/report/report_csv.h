// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/report/report_tables.h"

namespace gatescope {

/// A table as UTF-8 under the rules of csvLine(): RFC 4180, CR LF, text that a spreadsheet would
/// take for a formula behind an apostrophe. What is not there, and NaN, is an empty field.
std::string reportCsv(const ReportTable& table);

/// A zip archive with NAME.csv for every table and README.txt. The same report gives the same
/// bytes. Throws Error where libarchive fails.
std::string reportZip(const ReportValue& report);

}  // namespace gatescope
