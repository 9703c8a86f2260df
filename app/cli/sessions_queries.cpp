// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/sessions.h"
#include "app/cli/terminal.h"
#include "app/cli/text_table.h"
#include "engine/error.h"
#include "engine/session/saved_queries.h"
#include "engine/session/sql_console.h"
#include "engine/session/sql_table_text.h"

namespace gatescope::cli {
namespace {

constexpr std::size_t kPrintedAtOnce = 1 << 16;
constexpr std::size_t kTableRows = 10'000;  ///< a table is laid out as a whole
constexpr std::size_t kTableBytes = std::size_t{32} << 20;
constexpr std::size_t kBlobBytes = 16;

struct QueryOptions {
    std::string sql;
    std::string saved;
    std::string queries;  ///< file; empty: the person's
    std::vector<std::string> values;
    bool json = false;
    bool csv = false;
};

SavedQueries savedQueries(const QueryOptions& options) {
    return SavedQueries(options.queries.empty() ? defaultQueriesFile()
                                                : std::filesystem::path(options.queries));
}

std::string sqlOf(const QueryOptions& options) {
    if (options.sql.empty() == options.saved.empty()) {
        throw UsageError("give either a QUERY or the name of a --saved one");
    }
    if (!options.sql.empty()) return options.sql;
    const auto query = savedQueries(options).find(options.saved);
    if (!query) {
        throw UsageError(fmt::format("{}: no query of that name is saved (`queries` lists them)",
                                     options.saved));
    }
    return query->sql;
}

/// A number where all of the text is one.
SqlCell cellOf(const std::string& text) {
    const char* end = text.data() + text.size();
    std::int64_t whole = 0;
    if (const auto read = std::from_chars(text.data(), end, whole);
        read.ec == std::errc() && read.ptr == end) {
        return whole;
    }
    double number = 0;
    if (const auto read = std::from_chars(text.data(), end, number);
        read.ec == std::errc() && read.ptr == end) {
        return number;
    }
    return text;
}

SqlParameters parametersOf(const QueryOptions& options) {
    SqlParameters parameters;
    for (const std::string& value : options.values) {
        const std::size_t equals = value.find('=');
        if (equals == 0 || equals == std::string::npos) {
            throw UsageError(fmt::format("--set {}: expected NAME=VALUE", value));
        }
        const std::size_t colon = value[0] == ':' ? 1 : 0;
        parameters[value.substr(colon, equals - colon)] = cellOf(value.substr(equals + 1));
    }
    return parameters;
}

/// Writes in large pieces.
class Printer {
  public:
    void add(std::string_view text) {
        m_text += text;
        if (m_text.size() >= kPrintedAtOnce) flush();
    }
    void flush() {
        print(m_text);
        m_text.clear();
    }

  private:
    std::string m_text;
};

/// Row by row, however many there are.
void streamRows(SqlConsole& console, const std::string& sql, const QueryOptions& options,
                const std::stop_token& stop) {
    Printer out;
    SqlSink sink;
    bool first = true;
    sink.begin = [&](const std::vector<std::string>& columns) {
        out.add(options.csv ? csvHeader(columns)
                            : fmt::format("{{\"columns\": {},\n\"rows\": [", jsonHeader(columns)));
    };
    sink.row = [&](std::span<const SqlCell> row) {
        out.add(options.csv ? csvLine(row) : (first ? "\n" : ",\n") + jsonRow(row));
        first = false;
        return true;
    };
    console.stream(sql, parametersOf(options), sink, stop);
    if (options.json) out.add("\n]}\n");
    out.flush();
}

void printTable(const SqlResult& result) {
    if (result.columns.empty()) return;
    std::vector<std::string> header;
    for (const std::string& column : result.columns) header.push_back(lineText(column));
    TextTable table(header);
    for (const auto& row : result.rows) {
        std::vector<std::string> cells;
        for (const SqlCell& cell : row) {
            cells.push_back(std::holds_alternative<std::monostate>(cell)
                                ? "-"
                                : lineText(cellText(cell, kBlobBytes)));
        }
        table.add(std::move(cells));
    }
    print(table.text());
    if (!result.notice.empty()) {
        print(fmt::format("{} --csv and --json print all of them.\n", result.notice));
    }
}

int runSql(const std::string& file, const QueryOptions& options) {
    if (options.json && options.csv) throw UsageError("either --json or --csv");
    const std::string sql = sqlOf(options);
    Interrupt interrupt([] { Interrupt::die(); });
    SqlConsole console(file);
    const std::stop_token stop = interrupt.begin();
    if (options.json || options.csv) {
        streamRows(console, sql, options, stop);
    } else {
        SqlLimits limits;
        limits.rows = kTableRows;
        limits.bytes = kTableBytes;
        printTable(console.run(sql, parametersOf(options), limits, stop));
    }
    return kDone;
}

int runQueries(const QueryOptions& options) {
    std::string text;
    for (const SavedQuery& query : savedQueries(options).list()) {
        text += lineText(query.name) + "\n    " + lineText(query.about) + "\n";
    }
    print(text);
    return kDone;
}

}  // namespace

void addSessionQueries(CLI::App& sessions, const SessionFileName& file, Action& action) {
    auto options = std::make_shared<QueryOptions>();
    CLI::App* command = sessions.add_subcommand(
        "sql",
        "Ask a question in SQL, read-only; docs/session-schema.md has the tables and views. "
        "Ctrl+C ends a query");
    command->add_option("QUERY", options->sql, "One SELECT");
    command->add_option("--saved", options->saved, "A saved query by its name");
    command->add_option("--set", options->values, "NAME=VALUE for :NAME in the query; repeatable")
        ->allow_extra_args(false);
    command->add_option("--queries", options->queries, "File of saved queries")->type_name("FILE");
    command->add_flag("--json", options->json, "Machine-readable");
    command->add_flag("--csv", options->csv, "Comma-separated values");
    command->callback(
        [file, options, &action] { action = [file, options] { return runSql(*file, *options); }; });

    auto listed = std::make_shared<QueryOptions>();
    command = sessions.add_subcommand("queries", "The saved queries");
    command->add_option("--queries", listed->queries, "File of saved queries")->type_name("FILE");
    command->callback([listed, &action] { action = [listed] { return runQueries(*listed); }; });
}

}  // namespace gatescope::cli
