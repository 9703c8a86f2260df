// SPDX-License-Identifier: Apache-2.0
#include "engine/session/purge.h"

#include "engine/session/sql.h"

namespace gatescope {

int purgeDeleted(SQLite::Database& database, std::int64_t beforeMs) {
    {
        SQLite::Statement any(database, "SELECT 1 FROM sessions WHERE deleted_ms < ? LIMIT 1");
        bindAll(any, beforeMs);
        if (!any.executeStep()) {
            return 0;  // the usual case takes no write lock
        }
    }
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement purge(database, "DELETE FROM sessions WHERE deleted_ms < ?");
    const int purged = execute(purge, beforeMs);
    transaction.commit();
    return purged;
}

}  // namespace gatescope
