// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace gatescope {

/// The folder of the bundled demo model: ../share/gatescope/demo-model seen from the running
/// program, or the source tree's when the program runs from a build folder. Empty if neither is
/// there.
std::filesystem::path demoModelDir();

/// Whether `dir` is that folder.
bool isDemoModel(const std::filesystem::path& dir);

/// Labelled prompts of the kinds of text it was trained on, for specialisation; see
/// readPromptSet(). Empty without the demo model.
std::filesystem::path demoPromptSet();

/// Prompts the demo model was trained for, to offer in an empty chat. No other model gets them.
const std::vector<std::string>& demoModelPrompts();

}  // namespace gatescope
