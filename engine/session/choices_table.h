// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

namespace gatescope {

/// Adds to a connection the table `choices`, which decodes the blobs of `routing` as it is read:
/// one row for each position, layer and chosen expert. Its columns are in console_views.h.
///
/// Conditions on session, turn, seq, mtp, idx, position, token_id, phase and special are answered
/// by `routing` itself, so that a question about one session reads no other; one on layer decodes
/// no other layer. A blob that is no routing ends the query with a sentence naming it. Throws
/// SQLite::Exception.
void addChoicesTable(SQLite::Database& database);

}  // namespace gatescope
