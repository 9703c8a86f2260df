// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace gatescope {

/// Finds a text in the messages of a session file. From three characters on the trigram index knows
/// it; one or two characters (a word in Chinese) are found by the trigrams that begin with them,
/// or, where they are all over the file, by looking through the sessions until enough are found.
class TextSearch {
  public:
    /// A file of a version before 3 is looked through for short texts.
    TextSearch(const SQLite::Database& database, int version);

    /// The newest message of each session that has the text, as rows of `turns` by session.
    using Found = std::unordered_map<std::int64_t, std::int64_t>;
    /// `sessions`: those that count, the first ones first; with a `limit` it may be that only so
    /// many of them are found. Throws SQLite::Exception.
    Found find(const std::string& text, const std::vector<std::int64_t>& sessions,
               std::size_t limit);

  private:
    Found sessionsOf(const std::vector<std::int64_t>& rows);
    /// Nothing where there is no such index, or too much to be worth it.
    std::optional<std::vector<std::int64_t>> rowsByTerms(const std::string& text,
                                                         std::size_t characters);
    Found lookThrough(const std::string& text, const std::vector<std::int64_t>& sessions,
                      std::size_t limit);

    const SQLite::Database& m_database;
    bool m_hasTerms = false;
};

/// `%text%` for LIKE with ESCAPE '\'.
std::string likePattern(const std::string& text);

/// Where `text` begins in `in`, ASCII letters alike in both cases; npos if nowhere.
std::size_t findIgnoringCase(const std::string& in, const std::string& text);

}  // namespace gatescope
