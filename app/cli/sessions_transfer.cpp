// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <memory>

#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/sessions.h"
#include "app/cli/terminal.h"
#include "engine/session/session_export.h"
#include "engine/session/session_import.h"

namespace gatescope::cli {
namespace {

struct TransferOptions {
    std::vector<std::string> sessions;
    std::string format;  ///< empty: by the name of `other`
    std::string other;   ///< the file that is written or read
    bool quiet = false;
};

constexpr SessionFormat kFormats[] = {SessionFormat::Sqlite, SessionFormat::JsonLines,
                                      SessionFormat::Markdown, SessionFormat::Safetensors,
                                      SessionFormat::Csv};

SessionFormat formatOf(const TransferOptions& options) {
    if (!options.format.empty()) return *sessionFormatFromName(options.format);
    for (const SessionFormat format : kFormats) {
        if (options.other.ends_with(extension(format))) return format;
    }
    throw UsageError(
        fmt::format("{}: name the --format; its ending is none of .db, .jsonl, .md, "
                    ".safetensors and .csv",
                    options.other));
}

int runExport(const std::string& file, const TransferOptions& options) {
    std::vector<std::int64_t> sessions;
    for (const std::string& text : options.sessions) {
        const auto some = sessionsArgument(text);
        sessions.insert(sessions.end(), some.begin(), some.end());
    }
    const SessionFormat format = formatOf(options);
    Interrupt interrupt([] { Interrupt::die(); });
    ProgressLine progress(options.quiet, interrupt.begin());
    exportSessions(file, sessions, format, options.other, progress.callback());
    return kDone;
}

int runImport(const std::string& file, const TransferOptions& options) {
    Interrupt interrupt([] { Interrupt::die(); });
    std::vector<std::int64_t> added;
    {
        ProgressLine progress(options.quiet, interrupt.begin());
        added = importSessions(file, options.other, progress.callback());
    }
    for (const std::int64_t session : added) print(fmt::format("{}\n", session));
    return kDone;
}

}  // namespace

void addSessionTransfer(CLI::App& sessions, const SessionFileName& file, Action& action) {
    auto to = std::make_shared<TransferOptions>();
    CLI::App* command = sessions.add_subcommand("export", "Write sessions to a file of their own");
    command->add_option("SESSIONS", to->sessions, "Their numbers: 12, or 1,3-5")->required();
    command
        ->add_option("--format", to->format,
                     "sqlite and jsonl hold everything and can be imported; markdown is the "
                     "transcript, safetensors and csv the routing; default: by the file's ending")
        ->check(CLI::IsMember({"sqlite", "jsonl", "markdown", "safetensors", "csv"}));
    command->add_option("--out", to->other, "The file, replaced if it is there")->required();
    command->add_flag("--quiet", to->quiet, "No progress on standard error");
    command->callback(
        [file, to, &action] { action = [file, to] { return runExport(*file, *to); }; });

    auto from = std::make_shared<TransferOptions>();
    command = sessions.add_subcommand(
        "import",
        "Add all sessions of a session file or a .jsonl export; prints their new numbers");
    command->add_option("OTHER", from->other, "The file to read")->required();
    command->add_flag("--quiet", from->quiet, "No progress on standard error");
    command->callback(
        [file, from, &action] { action = [file, from] { return runImport(*file, *from); }; });
}

}  // namespace gatescope::cli
