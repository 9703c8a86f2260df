// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/verify/verify_golden.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/terminal.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    CommonOptions common;
    std::string dir;
    std::string only;
    bool json = false;
};

Json checkJson(const Check& check) {
    return {{"subject", check.subject},
            {"quantity", check.quantity},
            {"passed", check.passed},
            {"measured", std::isfinite(check.measured) ? Json(check.measured) : Json()},
            {"limit", check.limit},
            {"tolerance", check.tolerance},
            {"note", check.note}};
}

std::string checkLine(const Check& check) {
    return fmt::format("{}  {:<30} {:<25} {:>9.3g}  limit {:<8.3g} {:<17} {}\n",
                       check.passed ? "PASS" : "FAIL", check.subject, check.quantity,
                       check.measured, check.limit, check.tolerance, check.note);
}

int verify(const Options& options) {
    checkCommonOptions(options.common);
    Json checks = Json::array();
    int passed = 0;
    int failed = 0;
    verifyGolden(
        options.dir, options.common.load,
        [&](const Check& check) {
            ++(check.passed ? passed : failed);
            if (options.json) {
                checks.push_back(checkJson(check));
            } else {
                print(checkLine(check));
            }
        },
        options.only);
    if (options.json) {
        const Json all = {{"passed", passed}, {"failed", failed}, {"checks", checks}};
        print(all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    } else {
        print(fmt::format("{} passed, {} failed\n", passed, failed));
    }
    return failed == 0 ? kDone : kFailed;
}

}  // namespace

void addVerify(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "verify", "Compare the engine with a folder of golden data, one line per check");
    command->add_option("GOLDEN_DIR", options->dir, "Folder with ckpt/ and golden/")->required();
    command->add_option("--only", options->only,
                        "One model of the folder, e.g. v3-mini; default: everything");
    command->add_flag("--json", options->json, "Machine-readable");
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return verify(*options); }; });
}

}  // namespace gatescope::cli
