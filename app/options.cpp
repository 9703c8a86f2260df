// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/options.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "app/cli/load_options.h"
#include "app/window_docks.h"

namespace gatescope {
namespace {

constexpr int kWrongUse = 2;

/// "1440x880".
bool parseSize(const std::string& text, AppOptions& options) {
    const std::size_t cross = text.find('x');
    if (cross == std::string::npos) {
        return false;
    }
    return CLI::detail::lexical_cast(text.substr(0, cross), options.width) &&
           CLI::detail::lexical_cast(text.substr(cross + 1), options.height) &&
           options.width >= 320 && options.width <= 8192 && options.height >= 240 &&
           options.height <= 8192;
}

}  // namespace

std::variant<AppOptions, int> parseOptions(int argc, char** argv) {
    AppOptions options;
    std::string size;
    CLI::App app("Chat with a DeepSeek-V3-class model and watch its experts.", "gatescope");
    app.set_version_flag("--version", "gatescope " GATESCOPE_VERSION);
    app.add_option("MODEL_DIR", options.model,
                   "Folder with config.json, tokenizer.json and safetensors; default: the demo");
    app.add_option("--session", options.session, "Session file, made if it is not there");
    app.add_option("--prompt", options.prompt, "Send this as soon as the model is loaded");
    auto* screenshot =
        app.add_option("--screenshot", options.screenshot,
                       "Answer the prompt, save a picture (PNG) of the window, and end; needs no "
                       "display and touches no settings");
    app.add_option("--screenshot-while-generating", options.screenshotWhileGenerating,
                   "Take the picture after this many tokens of the answer")
        ->check(CLI::Range(1, 1 << 20))
        ->needs(screenshot);
    app.add_option("--dock", options.dock, "Bring this dock to the front")
        ->check(CLI::IsMember(WindowDocks::names()));
    app.add_option("--theme", options.theme, "light, dark or system; default: as chosen before")
        ->check(CLI::IsMember({"light", "dark", "system"}));
    app.add_option("--scale", options.scale, "Scale the window, e.g. 2 for twice the pixels")
        ->check(CLI::Range(0.5, 4.0));
    app.add_option("--size", size, "Size of the window, e.g. 1440x880");
    addLoadOptions(app, options.load, "Options");
    app.add_flag("--quiet", options.quiet, "No notes on standard error");
    try {
        app.parse(argc, argv);
        if (!size.empty() && !parseSize(size, options)) {
            throw CLI::ValidationError("--size", "expected WIDTHxHEIGHT, found " + size);
        }
        if (const auto problem = loadProblem(options.load); !problem.empty()) {
            throw CLI::ParseError(problem, CLI::ExitCodes::ValidationError);
        }
    } catch (const CLI::ParseError& error) {
        return app.exit(error, std::cout, std::cerr) == 0 ? 0 : kWrongUse;
    }
    return options;
}

}  // namespace gatescope
