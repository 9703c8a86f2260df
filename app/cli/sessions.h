// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/commands.h"

// The parts of `gatescope-cli sessions FILE`; each adds its subcommands to it.

namespace gatescope::cli {

/// The session file, known when an action runs.
using SessionFileName = std::shared_ptr<const std::string>;

void addSessionReading(CLI::App& sessions, const SessionFileName& file, Action& action);
void addSessionEditing(CLI::App& sessions, const SessionFileName& file, Action& action);
void addSessionTransfer(CLI::App& sessions, const SessionFileName& file, Action& action);
void addSessionQueries(CLI::App& sessions, const SessionFileName& file, Action& action);

/// "1,3-5" on a command line. Throws UsageError.
std::vector<std::int64_t> sessionsArgument(const std::string& text);

/// Unix time in milliseconds as "2025-10-14 09:05" UTC.
std::string timeText(std::int64_t unixMs);

/// A field of a file on one line of a terminal.
std::string lineText(const std::string& text);

}  // namespace gatescope::cli
