// SPDX-License-Identifier: Apache-2.0
// Every malformed model folder of tests/golden/bad, driven by the list that comes with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/weight_binding.h"
#include "tests/engine/checkpoint/largest_allocation.h"
#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

struct BadCase {
    std::string dir;
    std::string what;
    std::string stage;  ///< empty: must load
    std::vector<std::string> names;
};

void PrintTo(const BadCase& badCase, std::ostream* out) {
    *out << badCase.what;
}

std::vector<BadCase> badCases() {
    std::vector<BadCase> cases;
    const auto list = test::fileJson(test::badDir() / "bad.json");
    for (const auto& entry : list.at("cases")) {
        BadCase badCase{entry.at("dir"), entry.at("what"),
                        entry.at("stage").is_null() ? "" : entry.at("stage").get<std::string>(),
                        entry.at("message_should_name")};
        if (badCase.stage != "tokenizer") cases.push_back(std::move(badCase));
    }
    return cases;
}

class BadModel : public testing::TestWithParam<BadCase> {};

/// Runs the stages up to the one at which the case must have been noticed.
void runStages(const std::filesystem::path& dir, const std::string& stage) {
    if (stage == "config") {
        loadModelConfig(dir);
        return;
    }
    const Checkpoint checkpoint(dir);
    if (stage != "open") validateWeights(checkpoint);
}

TEST_P(BadModel, EndsInOneSentenceThatNamesTheItem) {
    const BadCase& badCase = GetParam();
    const auto dir = test::badDir() / badCase.dir;
    test::largestAllocation = 0;
    if (badCase.stage.empty()) {
        EXPECT_NO_THROW(runStages(dir, "load"));
        return;
    }
    const std::string message = test::errorOf([&] { runStages(dir, badCase.stage); });
    for (const std::string& item : badCase.names) {
        const bool alternatives = item.find(" or ") != std::string::npos;
        if (alternatives) continue;
        EXPECT_THAT(message, testing::HasSubstr(item));
    }
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_LT(message.size(), 500U) << message;
    EXPECT_LT(test::largestAllocation.load(), std::size_t{4} << 20);
    RecordProperty("message", message);
}

std::string testName(const testing::TestParamInfo<BadCase>& info) {
    std::string name = info.param.dir;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Golden, BadModel, testing::ValuesIn(badCases()), testName);

/// The items that the list describes in words.
TEST(BadModels, NameTheItemsDescribedInWords) {
    const auto message = [](const char* dir) {
        return test::errorOf([&] { runStages(test::badDir() / dir, "load"); });
    };
    EXPECT_THAT(message("config-huge"), testing::HasSubstr("vocab_size"));
    EXPECT_THAT(message("config-deep"), testing::HasSubstr("depth"));
    EXPECT_THAT(message("truncated-data"), testing::ContainsRegex("model\\.[a-z].*bytes"));
    EXPECT_THAT(message("inf-bias"), testing::HasSubstr("infinity"));
    EXPECT_THAT(message("fp8-nan"), testing::HasSubstr("NaN"));
}

TEST(BadModels, TheListIsWhole) {
    EXPECT_GE(badCases().size(), 60U);
}

}  // namespace
}  // namespace gatescope
