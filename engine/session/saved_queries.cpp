// SPDX-License-Identifier: Apache-2.0
#include "engine/session/saved_queries.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/session/atomic_file.h"
#include "engine/session/session_store.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

constexpr const char* kFormat = "gatescope-queries/1";
constexpr std::size_t kFileBytes = 16 << 20;
constexpr std::size_t kMostQueries = 1000;
constexpr std::size_t kNameBytes = 200;
constexpr std::size_t kSqlBytes = 100'000;

SavedQuery queryOf(const JsonValue& json) {
    SavedQuery query;
    query.name = json.at("name").string();
    if (const auto about = json.find("about")) {
        query.about = about->string();
    }
    query.sql = json.at("sql").string();
    return query;
}

/// Empty for a query that can be kept.
std::string problemOf(const SavedQuery& query) {
    if (query.name.find_first_not_of(" \t\n") == std::string::npos) {
        return "needs a name";
    }
    if (query.sql.find_first_not_of(" \t\n;") == std::string::npos) {
        return "has no text";
    }
    if (query.name.size() > kNameBytes || query.sql.size() > kSqlBytes ||
        query.about.size() > kSqlBytes) {
        return "is too long to be kept";
    }
    for (const std::string* text : {&query.name, &query.about, &query.sql}) {
        if (!isValidUtf8(*text)) {
            return "is not valid UTF-8";
        }
    }
    return "";
}

bool isBuiltIn(const std::string& name) {
    const auto queries = builtInQueries();
    return std::any_of(queries.begin(), queries.end(),
                       [&name](const SavedQuery& query) { return query.name == name; });
}

}  // namespace

std::vector<SavedQuery> SavedQueries::own() const {
    std::error_code error;
    if (!std::filesystem::exists(m_file, error)) {
        return {};
    }
    const JsonDocument document = JsonDocument::read(m_file, kFileBytes);
    const JsonValue root = document.root();
    if (root.at("format").string() != kFormat) {
        throw root.at("format").error(fmt::format("is not \"{}\"", kFormat));
    }
    std::vector<SavedQuery> queries;
    root.at("queries").forEachElement([&queries](std::size_t, const JsonValue& json) {
        if (queries.size() == kMostQueries) {
            throw json.error(fmt::format("more than {} queries", kMostQueries));
        }
        queries.push_back(queryOf(json));
    });
    return queries;
}

std::vector<SavedQuery> SavedQueries::list() const {
    const auto builtIn = builtInQueries();
    std::vector<SavedQuery> queries(builtIn.begin(), builtIn.end());
    std::vector<SavedQuery> mine = own();
    std::sort(mine.begin(), mine.end(),
              [](const SavedQuery& a, const SavedQuery& b) { return a.name < b.name; });
    queries.insert(queries.end(), mine.begin(), mine.end());
    return queries;
}

std::optional<SavedQuery> SavedQueries::find(const std::string& name) const {
    for (SavedQuery& query : list()) {
        if (query.name == name) {
            return std::move(query);
        }
    }
    return std::nullopt;
}

void SavedQueries::save(const SavedQuery& query) {
    const std::string shown = printable(query.name, 60);
    if (const std::string problem = problemOf(query); !problem.empty()) {
        throw Error(fmt::format("query \"{}\" {}", shown, problem));
    }
    if (isBuiltIn(query.name)) {
        throw Error(fmt::format("query \"{}\" comes with the program; choose another name", shown));
    }
    std::vector<SavedQuery> queries = own();
    std::erase_if(queries, [&query](const SavedQuery& other) { return other.name == query.name; });
    if (queries.size() == kMostQueries) {
        throw Error(fmt::format("query \"{}\" is one too many: {} are kept", shown, kMostQueries));
    }
    queries.push_back(query);
    write(std::move(queries));
}

void SavedQueries::remove(const std::string& name) {
    std::vector<SavedQuery> queries = own();
    if (std::erase_if(queries, [&name](const SavedQuery& query) { return query.name == name; }) ==
        0) {
        throw Error(fmt::format("query \"{}\" is not among your own", printable(name, 60)));
    }
    write(std::move(queries));
}

void SavedQueries::write(std::vector<SavedQuery> queries) const {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const SavedQuery& query : queries) {
        list.push_back({{"name", query.name}, {"about", query.about}, {"sql", query.sql}});
    }
    const nlohmann::ordered_json json = {{"format", kFormat}, {"queries", list}};
    AtomicFile file(m_file);
    file.write(json.dump(2) + "\n");
    file.commit();
}

std::filesystem::path defaultQueriesFile() {
    return defaultSessionFile().parent_path() / "queries.json";
}

}  // namespace gatescope
