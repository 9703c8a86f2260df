// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/report/report_value.h"

namespace gatescope {

using ReportCell = std::variant<std::monostate, std::string, std::int64_t, double>;

/// One observation a row, one variable a column.
struct ReportTable {
    std::string name;                           ///< lower case, '_'
    std::vector<std::string> columns;           ///< named as in the JSON, where it is there
    std::vector<std::vector<ReportCell>> rows;  ///< each as long as `columns`
};

/// All tables of a report that have rows; metrics of the layers is the first.
std::vector<ReportTable> reportTables(const ReportValue& report);

}  // namespace gatescope
