// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_csv.h"

#include <cmath>

#include "engine/session/sql_table_text.h"

namespace gatescope {
namespace {

SqlCell sqlCell(const ReportCell& cell) {
    if (const auto* text = std::get_if<std::string>(&cell)) {
        return *text;
    }
    if (const auto* number = std::get_if<std::int64_t>(&cell)) {
        return *number;
    }
    if (const auto* number = std::get_if<double>(&cell);
        number != nullptr && !std::isnan(*number)) {
        return *number;
    }
    return std::monostate{};
}

}  // namespace

std::string reportCsv(const ReportTable& table) {
    std::string out = csvHeader(table.columns);
    std::vector<SqlCell> cells(table.columns.size());
    for (const std::vector<ReportCell>& row : table.rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            cells[i] = sqlCell(row[i]);
        }
        out += csvLine(cells);
    }
    return out;
}

}  // namespace gatescope
