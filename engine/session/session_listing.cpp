// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_listing.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "engine/session/snippet.h"
#include "engine/session/sql.h"

namespace gatescope {

namespace {

constexpr const char* kColumns =
    "s.id, s.title, s.model_name, s.created_ms, s.updated_ms, s.turn_count, s.token_count, "
    "s.pinned, s.deleted_ms, s.branched_from_session, s.branched_from_turn, s.branched_from_seq";
/// Of a file that has no such columns yet. seq counts from 0 without gaps: the last one of each
/// answer tells its number of tokens.
constexpr const char* kColumnsBefore3 =
    "s.id, s.title, s.model_name, s.created_ms, s.updated_ms, "
    "(SELECT count(*) FROM turns t WHERE t.session = s.id AND t.replaced = 0), "
    "(SELECT coalesce(sum((SELECT max(k.seq) + 1 FROM tokens k WHERE k.session = a.session "
    "AND k.turn = a.turn)), 0) FROM answers a WHERE a.session = s.id), "
    "0, NULL, NULL, NULL, NULL";

SessionSummary summaryOf(SQLite::Statement& row) {
    SessionSummary summary;
    summary.id = row.getColumn(0).getInt64();
    summary.title = row.getColumn(1).getString();
    summary.modelName = row.getColumn(2).getString();
    summary.createdMs = row.getColumn(3).getInt64();
    summary.updatedMs = row.getColumn(4).getInt64();
    summary.turns = row.getColumn(5).getInt64();
    summary.tokens = row.getColumn(6).getInt64();
    summary.pinned = row.getColumn(7).getInt() != 0;
    if (!row.getColumn(8).isNull()) {
        summary.deletedMs = row.getColumn(8).getInt64();
    }
    if (!row.getColumn(9).isNull()) {
        SessionBranch& branch = summary.branchedFrom.emplace();
        branch.session = row.getColumn(9).getInt64();
        branch.turn = row.getColumn(10).getInt();
        branch.seq = row.getColumn(11).isNull() ? -1 : row.getColumn(11).getInt64();
    }
    return summary;
}

std::string conditions(const SessionQuery& query, bool browsing) {
    std::string where = " WHERE 1";
    if (browsing) {
        where += query.deleted ? " AND s.deleted_ms IS NOT NULL" : " AND s.deleted_ms IS NULL";
        if (query.pinnedOnly) where += " AND s.pinned = 1";
        if (!query.tag.empty()) {
            where += " AND s.id IN (SELECT session FROM session_tags WHERE tag = :tag)";
        }
    } else if (query.deleted || query.pinnedOnly || !query.tag.empty()) {
        where += " AND 0";  // nothing of the kind in such a file
    }
    if (!query.model.empty()) where += " AND s.model_name = :model";
    if (query.fromMs) where += " AND s.updated_ms >= :from";
    if (query.toMs) where += " AND s.updated_ms < :to";
    return where;
}

std::unordered_map<std::int64_t, std::size_t> placesOf(
    const std::vector<SessionSummary>& sessions) {
    std::unordered_map<std::int64_t, std::size_t> places;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
        places[sessions[i].id] = i;
    }
    return places;
}

bool named(const SessionSummary& session, const std::string& text) {
    return findIgnoringCase(session.title, text) != std::string::npos ||
           std::any_of(session.tags.begin(), session.tags.end(), [&text](const std::string& tag) {
               return findIgnoringCase(tag, text) != std::string::npos;
           });
}

}  // namespace

SessionListing::SessionListing(const SQLite::Database& database, int version)
    : m_database(database), m_browsing(version >= 3), m_search(database, version) {
    // A file whose tables lack something shows at once.
    SQLite::Statement(database, std::string("SELECT ") + (m_browsing ? kColumns : kColumnsBefore3) +
                                    " FROM sessions s");
    SQLite::Statement(database, "SELECT rowid FROM turns_fts WHERE turns_fts MATCH ?");
    SQLite::Statement(database, "SELECT session, turn, text FROM turns");
}

std::vector<SessionSummary> SessionListing::list(const SessionQuery& query) {
    std::vector<SessionSummary> sessions = filtered(query);
    addTags(sessions);
    if (!query.text.empty()) {
        keepFound(sessions, query);
    } else if (query.limit > 0 && sessions.size() > query.limit) {
        sessions.resize(query.limit);
    }
    addRunningTokens(sessions);
    return sessions;
}

std::vector<SessionSummary> SessionListing::one(std::int64_t session) {
    SQLite::Statement select(m_database, std::string("SELECT ") +
                                             (m_browsing ? kColumns : kColumnsBefore3) +
                                             " FROM sessions s WHERE s.id = ?");
    bindAll(select, session);
    std::vector<SessionSummary> found;
    while (select.executeStep()) found.push_back(summaryOf(select));
    addTags(found);
    addRunningTokens(found);
    return found;
}

std::vector<SessionSummary> SessionListing::filtered(const SessionQuery& query) {
    SQLite::Statement select(m_database, std::string("SELECT ") +
                                             (m_browsing ? kColumns : kColumnsBefore3) +
                                             " FROM sessions s" + conditions(query, m_browsing) +
                                             " ORDER BY s.updated_ms DESC, s.id DESC");
    if (m_browsing && !query.tag.empty()) select.bindNoCopy(":tag", query.tag);
    if (!query.model.empty()) select.bindNoCopy(":model", query.model);
    if (query.fromMs) select.bind(":from", *query.fromMs);
    if (query.toMs) select.bind(":to", *query.toMs);
    std::vector<SessionSummary> sessions;
    while (select.executeStep()) sessions.push_back(summaryOf(select));
    std::stable_partition(sessions.begin(), sessions.end(),
                          [](const SessionSummary& session) { return session.pinned; });
    return sessions;
}

void SessionListing::addTags(std::vector<SessionSummary>& sessions) {
    if (!m_browsing) return;
    if (sessions.size() == 1) {
        SQLite::Statement select(m_database,
                                 "SELECT tag FROM session_tags WHERE session = ? ORDER BY tag");
        bindAll(select, sessions[0].id);
        while (select.executeStep()) sessions[0].tags.push_back(select.getColumn(0).getString());
        return;
    }
    const auto places = placesOf(sessions);
    SQLite::Statement select(m_database,
                             "SELECT session, tag FROM session_tags ORDER BY session, tag");
    while (select.executeStep()) {
        const auto place = places.find(select.getColumn(0).getInt64());
        if (place != places.end()) {
            sessions[place->second].tags.push_back(select.getColumn(1).getString());
        }
    }
}

/// An answer that runs, or never ended, is not in the kept count.
void SessionListing::addRunningTokens(std::vector<SessionSummary>& sessions) {
    if (!m_browsing) return;
    const auto places = placesOf(sessions);
    SQLite::Statement select(m_database,
                             "SELECT a.session, (SELECT max(k.seq) + 1 FROM tokens k WHERE "
                             "k.session = a.session AND k.turn = a.turn) FROM answers a "
                             "WHERE a.finish IS NULL");
    while (select.executeStep()) {
        const auto place = places.find(select.getColumn(0).getInt64());
        if (place != places.end()) {
            sessions[place->second].tokens += select.getColumn(1).getInt64();
        }
    }
}

void SessionListing::keepFound(std::vector<SessionSummary>& sessions, const SessionQuery& query) {
    std::vector<std::int64_t> ids;
    ids.reserve(sessions.size());
    for (const SessionSummary& session : sessions) ids.push_back(session.id);
    const TextSearch::Found found = m_search.find(query.text, ids, query.limit);
    std::erase_if(sessions, [&](const SessionSummary& session) {
        return found.count(session.id) == 0 && !named(session, query.text);
    });
    if (query.limit > 0 && sessions.size() > query.limit) sessions.resize(query.limit);
    addSnippets(sessions, found, query.text);
}

void SessionListing::addSnippets(std::vector<SessionSummary>& sessions,
                                 const TextSearch::Found& found, const std::string& text) {
    SQLite::Statement select(m_database, "SELECT turn, text FROM turns WHERE id = ?");
    for (SessionSummary& session : sessions) {
        const auto row = found.find(session.id);
        if (row == found.end()) continue;
        bindAll(select, row->second);
        if (select.executeStep()) {
            session.snippet = snippetOf(select.getColumn(1).getString(), text);
            session.snippet.turn = select.getColumn(0).getInt();
        }
    }
}

SessionFacets SessionListing::facets() {
    SessionFacets facets;
    const auto counts = [this](const char* sql) {
        std::vector<SessionFacets::Count> all;
        SQLite::Statement select(m_database, sql);
        while (select.executeStep()) {
            all.push_back({select.getColumn(0).getString(), select.getColumn(1).getInt64()});
        }
        return all;
    };
    if (!m_browsing) {
        facets.models = counts("SELECT model_name, count(*) FROM sessions GROUP BY 1 ORDER BY 1");
        return facets;
    }
    facets.models = counts(
        "SELECT model_name, count(*) FROM sessions WHERE deleted_ms IS NULL GROUP BY 1 ORDER BY 1");
    facets.tags = counts(
        "SELECT t.tag, count(*) FROM sessions s JOIN session_tags t ON t.session = s.id "
        "WHERE s.deleted_ms IS NULL GROUP BY 1 ORDER BY 1");
    SQLite::Statement deleted(m_database,
                              "SELECT count(*) FROM sessions WHERE deleted_ms IS NOT NULL");
    deleted.executeStep();
    facets.deleted = deleted.getColumn(0).getInt64();
    return facets;
}

}  // namespace gatescope
