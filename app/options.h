// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <variant>

#include "engine/model/loaded_model.h"
#include "views/theme.h"

namespace gatescope {

/// The command line of `gatescope`.
struct AppOptions {
    std::filesystem::path model;  ///< empty: the demo model
    std::filesystem::path session;
    std::string prompt;
    std::filesystem::path screenshot;
    std::string dock;                   ///< to bring to the front; empty: the first start's
    int screenshotWhileGenerating = 0;  ///< tokens; 0: when the answer is done
    std::string theme;                  ///< light, dark, system; empty: as saved
    double scale = 0;                   ///< 0: the desktop's
    int width = 0;
    int height = 0;
    LoadOptions load;
    bool quiet = false;
};

/// The options, or the exit code of a command line that ends here (help, version: 0; wrong: 2).
/// What there is to say was written to standard output or standard error.
std::variant<AppOptions, int> parseOptions(int argc, char** argv);

}  // namespace gatescope
