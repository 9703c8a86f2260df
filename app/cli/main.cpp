// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "engine/error.h"
#include "kernels/device_error.h"

namespace {

using namespace gatescope;
using namespace gatescope::cli;

/// One line on standard error, whatever the message holds.
void complain(std::string text) {
    for (char& c : text) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    std::fputs(fmt::format("gatescope-cli: {}\n", text).c_str(), stderr);
}

bool hasCommand(const CLI::App& app, const std::string& name) {
    const auto commands = app.get_subcommands(
        [&name](const CLI::App* command) { return command->get_name() == name; });
    return !commands.empty();
}

int run(int argc, char** argv) {
    CLI::App app(
        "Watch and measure DeepSeek-V3-class mixture-of-experts models, without a display.\n"
        "Exit codes: 0 done, 1 the work failed, 2 the command line was wrong.",
        "gatescope-cli");
    app.require_subcommand(1);
    app.set_version_flag("--version", "gatescope-cli " GATESCOPE_VERSION);
    Action action;
    addInspect(app, action);
    addChat(app, action);
    addGenerate(app, action);
    addAnalyze(app, action);
    addCompare(app, action);
    addReplay(app, action);
    addPlace(app, action);
    addReport(app, action);
    addSessions(app, action);
    addDump(app, action);
    addTokenize(app, action);
    addVerify(app, action);
    addBench(app, action);
    addDevices(app, action);
    if (argc > 1 && argv[1][0] != '-' && !hasCommand(app, argv[1])) {
        complain(fmt::format("{}: no such command (--help lists them)", argv[1]));
        return kWrongUse;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
        complain(fmt::format("{} (--help shows the options)", error.what()));
        return kWrongUse;
    }
    return action();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const UsageError& error) {
        complain(error.what());
        return kWrongUse;
    } catch (const Cancelled&) {
        complain("cancelled");
    } catch (const DeviceMemoryError& error) {
        complain(error.what());
    } catch (const std::bad_alloc&) {
        complain("not enough memory");
    } catch (const std::exception& error) {
        complain(error.what());
    }
    return kFailed;
}
