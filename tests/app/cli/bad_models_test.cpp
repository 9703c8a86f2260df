// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;

Json badCases() {
    return Json::parse(std::ifstream(golden("bad/bad.json"))).at("cases");
}

/// Names in bad.json that are words of a message; the others describe one ("a tensor name or ...").
bool isLiteral(const std::string& name) {
    return name.find(' ') == std::string::npos;
}

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

class BadModel : public testing::TestWithParam<Json> {};

TEST_P(BadModel, IsRefusedInOneSentence) {
    const Json& item = GetParam();
    const std::string dir = item.at("dir");
    const Outcome run = runCli({"inspect", golden("bad/" + dir)});
    if (item.value("valid", false)) {
        EXPECT_EQ(run.exitCode, 0) << run.err;
        return;
    }
    if (item.value("may_accept", false) && run.exitCode == 0) return;
    EXPECT_EQ(run.exitCode, 1) << run.out;
    EXPECT_EQ(run.out, "");
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    EXPECT_TRUE(run.err.ends_with('\n')) << run.err;
    for (const std::string name : item.at("message_should_name")) {
        if (!isLiteral(name)) continue;
        EXPECT_THAT(lower(run.err), testing::HasSubstr(lower(name)));
    }
}

std::string caseName(const testing::TestParamInfo<Json>& tested) {
    std::string name = tested.param.at("dir");
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Golden, BadModel, testing::ValuesIn(badCases().get<std::vector<Json>>()),
                         caseName);

}  // namespace
}  // namespace gatescope::cli
