// SPDX-License-Identifier: Apache-2.0
#include "engine/model/demo_model.h"

#include <system_error>

namespace gatescope {
namespace fs = std::filesystem;
namespace {

bool holdsModel(const fs::path& dir) {
    std::error_code ignored;
    return fs::is_regular_file(dir / "config.json", ignored);
}

}  // namespace

fs::path demoModelDir() {
    std::error_code ignored;
    const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
    if (!program.empty()) {
        const fs::path installed =
            (program.parent_path() / "../share/gatescope/demo-model").lexically_normal();
        if (holdsModel(installed)) {
            return installed;
        }
    }
    const fs::path source = GATESCOPE_SOURCE_DEMO_MODEL;
    return holdsModel(source) ? source : fs::path();
}

bool isDemoModel(const fs::path& dir) {
    const fs::path demo = demoModelDir();
    std::error_code ignored;
    return !demo.empty() && fs::equivalent(dir, demo, ignored);
}

fs::path demoPromptSet() {
    const fs::path dir = demoModelDir();
    return dir.empty() ? fs::path() : dir / "domain-prompts.jsonl";
}

const std::vector<std::string>& demoModelPrompts() {
    static const std::vector<std::string> prompts = {
        "What is 347 + 285?",
        "Tell me a story about a fox named Mia.",
        "Translate to Chinese: The cat is red.",
    };
    return prompts;
}

}  // namespace gatescope
