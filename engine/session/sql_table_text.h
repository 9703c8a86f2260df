// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/session/sql_result.h"

// Results as text for other programs.

namespace gatescope {

/// A field of RFC 4180. Text that a spreadsheet would take for a formula (beginning with = + - @,
/// a tab or a carriage return) gets an apostrophe in front; bytes that are no UTF-8 become U+FFFD.
std::string csvField(const std::string& text);

/// One line with its CR LF. NULL is an empty field (empty text is quoted), bytes are hexadecimal
/// digits, numbers the shortest that read back the same.
std::string csvLine(std::span<const SqlCell> row);
std::string csvHeader(const std::vector<std::string>& columns);

/// A JSON array: NULL is null, bytes an object {"hex": "..."}; an infinite number a string.
std::string jsonRow(std::span<const SqlCell> row);
std::string jsonHeader(const std::vector<std::string>& columns);  ///< an array of the names

/// The shortest text of a cell, as a table shows it: NULL is empty, bytes are hexadecimal digits,
/// cut after `mostBytes` of them.
std::string cellText(const SqlCell& cell, std::size_t mostBytes = SIZE_MAX);

/// {"columns": [...], "rows": [[...], ...], "notice": "..."}.
std::string toJson(const SqlResult& result);
std::string toCsv(const SqlResult& result);

}  // namespace gatescope
