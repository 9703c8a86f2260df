// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/sessions.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "app/cli/options.h"
#include "app/cli/terminal.h"
#include "engine/error.h"
#include "engine/session/compared_session.h"
#include "engine/text/utf8_stream.h"

namespace gatescope::cli {

std::vector<std::int64_t> sessionsArgument(const std::string& text) {
    try {
        return sessionsFromText(text);
    } catch (const Error& error) {
        throw UsageError(error.what());
    }
}

std::string timeText(std::int64_t unixMs) {
    const std::time_t seconds = unixMs / 1000;
    std::tm parts{};
    if (::gmtime_r(&seconds, &parts) == nullptr) return "-";
    return fmt::format("{:%Y-%m-%d %H:%M}", parts);
}

std::string lineText(const std::string& text) {
    std::string line = toValidUtf8(text);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t' || c == '\r'; }, ' ');
    return withoutControls(line);
}

void addSessions(CLI::App& app, Action& action) {
    const auto file = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand(
        "sessions",
        "What is kept in a session file: list, read, tag, export, import, and ask in SQL");
    command->add_option("FILE", *file, "Session file")->required();
    command->require_subcommand(1);
    addSessionReading(*command, file, action);
    addSessionEditing(*command, file, action);
    addSessionTransfer(*command, file, action);
    addSessionQueries(*command, file, action);
}

}  // namespace gatescope::cli
