// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "engine/session/export_formats.h"
#include "engine/session/session_copy.h"
#include "engine/session/session_file.h"

namespace gatescope {

void exportSqlite(const ExportSource& source, const std::filesystem::path& target) {
    try {
        // Rows go into a file of the same version, which is then brought to the newest: an old
        // file that may not be written can be exported as well.
        ScratchFile made(target, source.version);
        const std::vector<SessionTable> tables = sessionTables(made.database());
        {
            SQLite::Transaction transaction(made.database());
            for (const std::int64_t session : source.sessions) {
                copySession(source.database, session, made.database(), tables, session,
                            [&source](std::int64_t rows) { source.progress.add(rows); });
            }
            transaction.commit();
        }
        made.migrateToNewest();
        made.keepAs(target);
    } catch (const SQLite::Exception& cause) {
        throw sessionError(target, cause);
    }
}

}  // namespace gatescope
