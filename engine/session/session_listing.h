// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <vector>

#include "engine/session/session_query.h"
#include "engine/session/text_search.h"

namespace gatescope {

/// Lists and searches the sessions of a file of any version. One read transaction around each call
/// is the caller's. Throws SQLite::Exception.
class SessionListing {
  public:
    SessionListing(const SQLite::Database& database, int version);

    std::vector<SessionSummary> list(const SessionQuery& query);
    SessionFacets facets();
    /// Empty if there is no such session.
    std::vector<SessionSummary> one(std::int64_t session);

  private:
    /// All that the query picks, its text left aside.
    std::vector<SessionSummary> filtered(const SessionQuery& query);
    void addTags(std::vector<SessionSummary>& sessions);
    void addRunningTokens(std::vector<SessionSummary>& sessions);
    void keepFound(std::vector<SessionSummary>& sessions, const SessionQuery& query);
    void addSnippets(std::vector<SessionSummary>& sessions, const TextSearch::Found& found,
                     const std::string& text);

    const SQLite::Database& m_database;
    bool m_browsing;  ///< the file has the columns of version 3
    TextSearch m_search;
};

}  // namespace gatescope
