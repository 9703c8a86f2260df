// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gatescope {

/// A question that is asked again. Its parameters are the names in the SQL (":session").
struct SavedQuery {
    std::string name;
    std::string about;  ///< one sentence
    std::string sql;
    bool builtIn = false;

    bool operator==(const SavedQuery&) const = default;
};

/// Those that come with the program.
std::span<const SavedQuery> builtInQueries();

/// A person's own queries in a small JSON file, and the built-in ones. The file is read anew for
/// every call, so that a window and a command line see each other's queries, and written as a
/// whole or not at all.
class SavedQueries {
  public:
    explicit SavedQueries(std::filesystem::path file) : m_file(std::move(file)) {}

    /// The built-in ones, then the person's in the order of their names. A file that is not there
    /// is an empty one. Throws Error for one that cannot be read; it is then never written.
    std::vector<SavedQuery> list() const;
    std::optional<SavedQuery> find(const std::string& name) const;

    /// Adds the query or replaces the person's of that name. Throws Error for a name or text that
    /// is empty or longer than the file may hold, and for the name of a built-in query.
    void save(const SavedQuery& query);
    /// Throws Error if there is no query of the person's with that name.
    void remove(const std::string& name);

  private:
    std::vector<SavedQuery> own() const;
    void write(std::vector<SavedQuery> queries) const;

    std::filesystem::path m_file;
};

/// Beside defaultSessionFile(): queries.json. Throws Error like it.
std::filesystem::path defaultQueriesFile();

}  // namespace gatescope
