// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <span>
#include <string_view>
#include <vector>

namespace gatescope {

struct ConsoleColumn {
    std::string_view name;
    std::string_view about;  ///< meaning and unit
};

/// What the console offers beside the file's tables; docs/session-schema.md describes the same.
struct ConsoleView {
    std::string_view name;
    std::string_view about;
    std::vector<ConsoleColumn> columns;
};
std::span<const ConsoleView> consoleViews();

/// Makes the views on a connection to a file of this version (PRAGMA user_version), as temporary
/// ones: the file is not touched. They look the same for every version. Views made before are
/// replaced. Adds the function token_text(bytes) and the table `choices` as well. Throws
/// SQLite::Exception.
void makeConsoleViews(SQLite::Database& database, int version);

}  // namespace gatescope
