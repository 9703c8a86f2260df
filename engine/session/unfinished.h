// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

namespace gatescope {

/// Writes the text of answers that never ended from their tokens, so that search finds them. Does
/// not mark them as ended: another program may still be writing one, and will then write the final
/// text itself. Throws SQLite::Exception.
void completeUnfinishedTexts(SQLite::Database& database);

}  // namespace gatescope
