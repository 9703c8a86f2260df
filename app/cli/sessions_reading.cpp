// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/options.h"
#include "app/cli/sessions.h"
#include "app/cli/terminal.h"
#include "app/cli/text_table.h"
#include "engine/error.h"
#include "engine/session/session_store.h"
#include "engine/session/sql_console.h"
#include "engine/text/utf8_stream.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ListOptions {
    SessionQuery query;
    bool json = false;
};

struct ShowOptions {
    std::int64_t session = 0;
    bool json = false;
};

std::string dumped(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json summaryJson(const SessionSummary& session) {
    Json json = {{"session", session.id},
                 {"title", session.title},
                 {"model", session.modelName},
                 {"created_ms", session.createdMs},
                 {"updated_ms", session.updatedMs},
                 {"turns", session.turns},
                 {"tokens", session.tokens},
                 {"pinned", session.pinned},
                 {"tags", session.tags},
                 {"deleted_ms", nullptr},
                 {"branched_from", nullptr}};
    if (session.deletedMs) json["deleted_ms"] = *session.deletedMs;
    if (session.branchedFrom) {
        const SessionBranch& from = *session.branchedFrom;
        json["branched_from"] = {{"session", from.session}, {"turn", from.turn}, {"seq", from.seq}};
    }
    if (!session.snippet.text.empty()) json["found"] = session.snippet.text;
    return json;
}

std::string listText(const std::vector<SessionSummary>& sessions) {
    TextTable table({"session", "used (UTC)", "tokens", "model", "title"});
    std::string text;
    for (const SessionSummary& session : sessions) {
        std::string title = lineText(session.title);
        for (const std::string& tag : session.tags) title += " [" + lineText(tag) + "]";
        table.add({fmt::format("{}{}", session.id, session.pinned ? "*" : ""),
                   timeText(session.updatedMs), std::to_string(session.tokens),
                   lineText(session.modelName), std::move(title)});
    }
    return table.text();
}

int runList(const std::string& file, const ListOptions& options) {
    const auto sessions = SessionStore(file).list(options.query);
    if (options.json) {
        Json list = Json::array();
        for (const SessionSummary& session : sessions) list.push_back(summaryJson(session));
        print(dumped(list));
    } else if (sessions.empty()) {
        print("No sessions.\n");
    } else {
        print(listText(sessions));
    }
    return kDone;
}

Json cellJson(const SqlCell& cell) {
    if (const auto* number = std::get_if<std::int64_t>(&cell)) return *number;
    if (const auto* number = std::get_if<double>(&cell)) return *number;
    if (const auto* text = std::get_if<std::string>(&cell)) return *text;
    return {};
}

/// Rows as objects, one by one: a session may be longer than memory.
void forEachRow(SqlConsole& console, const std::string& sql, std::int64_t session,
                const std::function<void(const Json&)>& visit) {
    std::vector<std::string> names;
    SqlSink sink;
    sink.begin = [&names](const std::vector<std::string>& columns) { names = columns; };
    sink.row = [&names, &visit](std::span<const SqlCell> row) {
        Json json;
        for (std::size_t i = 0; i < row.size(); ++i) json[names[i]] = cellJson(row[i]);
        visit(json);
        return true;
    };
    console.stream(sql, {{"session", session}}, sink);
}

std::string headText(const Json& session) {
    std::string text;
    for (const auto& [name, value] : session.items()) {
        if (value.is_null()) continue;
        text += fmt::format("{}: {}\n", name,
                            value.is_string() ? lineText(value.get<std::string>()) : value.dump());
    }
    return text;
}

std::string messageText(const Json& message) {
    std::string head = message.at("role").get<std::string>();
    if (message.at("finish").is_string()) head += ", " + message["finish"].get<std::string>();
    if (message.at("replaced") != 0) head += ", taken back";
    const auto& text = message.at("text");
    return fmt::format("\n[{}] {}\n{}\n", message.at("turn").get<std::int64_t>(), lineText(head),
                       text.is_string() ? toValidUtf8(text.get<std::string>()) : std::string());
}

int runShow(const std::string& file, const ShowOptions& options) {
    SqlConsole console(file);
    Json session;
    forEachRow(console, "SELECT * FROM session_figures WHERE session = :session", options.session,
               [&session](const Json& row) { session = row; });
    if (session.is_null()) {
        throw fileError(file, fmt::format("session {}", options.session),
                        "there is no such session");
    }
    const std::string messages = "SELECT * FROM messages WHERE session = :session ORDER BY turn";
    if (!options.json) {
        print(headText(session));
        forEachRow(console, messages, options.session,
                   [](const Json& row) { printModelText(messageText(row)); });
        return kDone;
    }
    session["messages"] = Json::array();
    forEachRow(console, messages, options.session,
               [&session](const Json& row) { session["messages"].push_back(row); });
    print(dumped(session));
    return kDone;
}

}  // namespace

void addSessionReading(CLI::App& sessions, const SessionFileName& file, Action& action) {
    auto list = std::make_shared<ListOptions>();
    CLI::App* command = sessions.add_subcommand(
        "list", "The sessions, pinned ones (*) first, then last used first");
    command->add_option("--search", list->query.text,
                        "Only with this text in a message, the title "
                        "or a tag");
    command->add_option("--tag", list->query.tag, "Only with this tag");
    command->add_option("--model", list->query.model, "Only of the model of this name");
    command->add_flag("--deleted", list->query.deleted, "Those that can be restored, instead");
    command->add_flag("--json", list->json, "Machine-readable");
    command->callback(
        [file, list, &action] { action = [file, list] { return runList(*file, *list); }; });

    auto show = std::make_shared<ShowOptions>();
    command = sessions.add_subcommand("show", "One session: what is known of it and its messages");
    command->add_option("SESSION", show->session, "Its number")->required();
    command->add_flag("--json", show->json, "Machine-readable");
    command->callback(
        [file, show, &action] { action = [file, show] { return runShow(*file, *show); }; });
}

}  // namespace gatescope::cli
