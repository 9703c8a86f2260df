// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace gatescope::cli {

/// What the parsed command line asks for; returns the exit code.
using Action = std::function<int()>;

// One function for each command, in the file of its name. It adds the subcommand with its options;
// parsing sets `action` to what the command does. Values that only make sense together are checked
// by the action, which throws UsageError.
void addInspect(CLI::App& app, Action& action);
void addGenerate(CLI::App& app, Action& action);
void addChat(CLI::App& app, Action& action);
void addDump(CLI::App& app, Action& action);
void addTokenize(CLI::App& app, Action& action);
void addVerify(CLI::App& app, Action& action);
void addBench(CLI::App& app, Action& action);
void addDevices(CLI::App& app, Action& action);
void addAnalyze(CLI::App& app, Action& action);
void addCompare(CLI::App& app, Action& action);
void addReplay(CLI::App& app, Action& action);
void addPlace(CLI::App& app, Action& action);
void addReport(CLI::App& app, Action& action);
void addSessions(CLI::App& app, Action& action);

}  // namespace gatescope::cli
