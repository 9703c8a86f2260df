// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace gatescope {

/// Bytes that are no text.
struct SqlBlob {
    std::string bytes;
    bool operator==(const SqlBlob&) const = default;
};

/// One cell of a result: NULL, a whole number, a number, text (as the file has it, perhaps no valid
/// UTF-8) or bytes.
using SqlCell = std::variant<std::monostate, std::int64_t, double, std::string, SqlBlob>;

/// Values for the names in a query, without their colon.
using SqlParameters = std::map<std::string, SqlCell>;

/// What a query gave. Rows are all as long as `columns`.
struct SqlResult {
    std::vector<std::string> columns;
    std::vector<std::vector<SqlCell>> rows;
    std::string notice;  ///< one sentence where rows were left out; else empty
    double seconds = 0;  ///< from the first look at the text to the last row

    bool truncated() const { return !notice.empty(); }
};

/// What a result may take; the rest is left out with a notice.
struct SqlLimits {
    std::size_t rows = 100'000;
    std::size_t bytes = std::size_t{128} << 20;  ///< of the result's cells in memory
    /// What sorting and grouping may take beside it: beyond that the query is stopped.
    std::size_t workBytes = std::size_t{256} << 20;
};

}  // namespace gatescope
