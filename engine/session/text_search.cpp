// SPDX-License-Identifier: Apache-2.0
#include "engine/session/text_search.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "engine/session/sql.h"

namespace gatescope {

namespace {

constexpr std::size_t kTrigram = 3;  // the search index knows texts from this length on
/// More places than this, and the text is found sooner by looking for it.
constexpr std::size_t kMostPlaces = 20000;
/// Up to so many rows their sessions are looked up one by one, beyond in one pass over the index.
constexpr std::size_t kFewRows = 2000;

std::size_t codePoints(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](char c) { return lower(c); });
    return text;
}

/// Of a text whose letters may have a case that is not ASCII's the index holds the folded form.
bool mayFold(const std::string& text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte >= 0xC3 && byte <= 0xD6) || byte == 0xE1;
    });
}

/// The text with every combination of cases of its one or two letters.
std::vector<std::string> spellings(const std::string& text) {
    std::vector<std::string> all{""};
    for (const char c : text) {
        std::vector<std::string> next;
        for (const std::string& begun : all) {
            next.push_back(begun + lower(c));
            if (upper(c) != lower(c)) next.push_back(begun + upper(c));
        }
        all = std::move(next);
    }
    return all;
}

std::string phrase(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text) {
        quoted += c == '"' ? "\"\"" : std::string(1, c);
    }
    return quoted + '"';
}

std::string behind(const std::string& text) {
    return text + "\U0010FFFF";
}

}  // namespace

std::string likePattern(const std::string& text) {
    std::string pattern = "%";
    for (const char c : text) {
        if (c == '%' || c == '_' || c == '\\') pattern += '\\';
        pattern += c;
    }
    return pattern + '%';
}

std::size_t findIgnoringCase(const std::string& in, const std::string& text) {
    const auto found = std::search(in.begin(), in.end(), text.begin(), text.end(),
                                   [](char a, char b) { return a == b || lower(a) == lower(b); });
    return found == in.end() && !text.empty() ? std::string::npos
                                              : static_cast<std::size_t>(found - in.begin());
}

TextSearch::TextSearch(const SQLite::Database& database, int version) : m_database(database) {
    if (version < 3) return;
    SQLite::Statement make(database,
                           "CREATE VIRTUAL TABLE IF NOT EXISTS temp.turns_terms "
                           "USING fts5vocab('main', 'turns_fts', 'instance')");
    m_hasTerms = make.tryExecuteStep() == SQLite::OK || make.isDone();
}

TextSearch::Found TextSearch::find(const std::string& text,
                                   const std::vector<std::int64_t>& sessions, std::size_t limit) {
    const std::size_t characters = codePoints(text);
    if (characters >= kTrigram) {
        std::vector<std::int64_t> rows;
        SQLite::Statement match(m_database, "SELECT rowid FROM turns_fts WHERE turns_fts MATCH ?");
        const std::string wanted = phrase(text);
        bindAll(match, wanted);
        while (match.executeStep()) rows.push_back(match.getColumn(0).getInt64());
        return sessionsOf(rows);
    }
    if (const auto rows = rowsByTerms(text, characters)) return sessionsOf(*rows);
    return lookThrough(text, sessions, limit);
}

std::optional<std::vector<std::int64_t>> TextSearch::rowsByTerms(const std::string& text,
                                                                 std::size_t characters) {
    if (!m_hasTerms || mayFold(text)) return {};
    std::vector<std::int64_t> rows;
    const auto addAll = [this, &rows](const char* sql, const auto&... values) {
        SQLite::Statement select(m_database, sql);
        bindAll(select, values...);
        while (select.executeStep()) {
            const std::int64_t row = select.getColumn(0).getInt64();
            if (rows.empty() || rows.back() != row) rows.push_back(row);
            if (rows.size() > kMostPlaces) return false;
        }
        return true;
    };
    const std::string folded = lower(text);
    if (!addAll("SELECT doc FROM temp.turns_terms WHERE term >= ? AND term < ?", folded,
                behind(folded))) {
        return {};
    }
    for (const std::string& spelling : spellings(text)) {
        const bool all =
            characters == 2
                ? addAll("SELECT id FROM turns WHERE substr(text, -2) = ?", spelling)
                : addAll(
                      "SELECT id FROM turns WHERE substr(text, -2) >= ? AND "
                      "substr(text, -2) < ?",
                      spelling, behind(spelling)) &&
                      addAll("SELECT id FROM turns WHERE substr(text, -1) = ?", spelling);
        if (!all) return {};
    }
    return rows;
}

TextSearch::Found TextSearch::sessionsOf(const std::vector<std::int64_t>& rows) {
    Found found;
    const auto add = [&found](std::int64_t session, std::int64_t row) {
        std::int64_t& newest = found[session];
        newest = std::max(newest, row);
    };
    if (rows.size() <= kFewRows) {
        SQLite::Statement select(m_database, "SELECT session FROM turns WHERE id = ?");
        for (const std::int64_t row : rows) {
            bindAll(select, row);
            if (select.executeStep()) add(select.getColumn(0).getInt64(), row);
        }
        return found;
    }
    const std::unordered_set<std::int64_t> wanted(rows.begin(), rows.end());
    // The index of UNIQUE (session, turn) holds the row numbers too, and none of the long texts.
    SQLite::Statement select(m_database, "SELECT session, id FROM turns ORDER BY session, turn");
    while (select.executeStep()) {
        const std::int64_t row = select.getColumn(1).getInt64();
        if (wanted.count(row) != 0) add(select.getColumn(0).getInt64(), row);
    }
    return found;
}

TextSearch::Found TextSearch::lookThrough(const std::string& text,
                                          const std::vector<std::int64_t>& sessions,
                                          std::size_t limit) {
    Found found;
    SQLite::Statement select(m_database,
                             "SELECT max(id) FROM turns WHERE session = ? AND text LIKE ? "
                             "ESCAPE '\\'");
    const std::string pattern = likePattern(text);
    for (const std::int64_t session : sessions) {
        bindAll(select, session, pattern);
        if (select.executeStep() && !select.getColumn(0).isNull()) {
            found[session] = select.getColumn(0).getInt64();
        }
        if (limit > 0 && found.size() >= limit) break;
    }
    return found;
}

}  // namespace gatescope
