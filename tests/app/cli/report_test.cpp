// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;

std::string textOf(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class Report : public testing::Test {
  protected:
    /// Two answers of the demo model.
    void SetUp() override {
        for (const char* prompt : {"What is 2 + 2?", "A story, please."}) {
            const Outcome outcome = runCli({"generate", demo, "--prompt", prompt, "--max-tokens",
                                            "24", "--session", db, "--quiet"});
            ASSERT_EQ(outcome.exitCode, 0) << outcome.err;
        }
    }
    std::string written(const std::string& name, std::vector<std::string> arguments = {}) {
        arguments.insert(arguments.begin(), {"report", db, "--out", folder / name, "--quiet"});
        const Outcome outcome = runCli(arguments);
        EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
        return textOf(folder / name);
    }
    TemporaryFolder folder;
    std::string db = folder / "s.db";
};

TEST_F(Report, IsWrittenInEveryFormat) {
    EXPECT_THAT(written("r.html"), StartsWith("<!doctype html>"));
    EXPECT_THAT(written("r.pdf"), StartsWith("%PDF-"));
    EXPECT_THAT(written("r.zip"), StartsWith("PK"));
    EXPECT_THAT(written("r.csv"), StartsWith("layer,mtp,metric"));
    EXPECT_THAT(written("e.csv", {"--table", "experts"}), HasSubstr("verdict"));
    EXPECT_EQ(Json::parse(written("r.json")).at("format"), "moe-routing-report/1");
}

TEST_F(Report, SaysWhatItWasAskedFor) {
    const Json json = Json::parse(
        written("r.json", {"--sessions", "1", "--against", "2", "--gpus", "4", "--nodes", "2"}));
    EXPECT_TRUE(json.at("comparison").is_object());
    EXPECT_EQ(json.at("placement").at("placement").at("gpus"), 4);
    EXPECT_EQ(json.at("sessions").size(), 2U);
    EXPECT_EQ(json.at("layers").size(), 6U);  // the MTP layer, too
    EXPECT_THAT(written("zh.html", {"--language", "zh"}), HasSubstr("lang=\"zh-Hans\""));
}

TEST_F(Report, PromptsAreHashedUnlessWanted) {
    EXPECT_THAT(written("h.html"), testing::Not(HasSubstr("What is 2 + 2?")));
    EXPECT_THAT(written("t.html", {"--prompts", "texts"}), HasSubstr("What is 2 + 2?"));
    const Json none = Json::parse(written("n.json", {"--prompts", "none"}));
    EXPECT_EQ(none.at("sessions").at(0).at("answers").at(0).at("prompt_hash"), "");
}

TEST_F(Report, OpensAgainAndIsWrittenAsSomethingElse) {
    written("r.json", {"--gpus", "4"});
    const Outcome again =
        runCli({"report", folder / "r.json", "--out", folder / "again.json", "--quiet"});
    EXPECT_EQ(again.exitCode, 0) << again.err;
    EXPECT_EQ(textOf(folder / "again.json"), textOf(folder / "r.json"));
    const Outcome page =
        runCli({"report", folder / "r.json", "--out", folder / "page.html", "--quiet"});
    EXPECT_EQ(page.exitCode, 0) << page.err;
    EXPECT_THAT(textOf(folder / "page.html"), HasSubstr("id=\"placement\""));
}

TEST_F(Report, OfAClustersLoadsNeedsTheirRouter) {
    const std::string loads = folder / "l.json";
    std::ofstream(loads) << "[[30, 10, 20, 20], [25, 15, 20, 20]]";
    const Outcome unsaid = runCli({"report", "--loads", loads, "--out", folder / "r.html"});
    EXPECT_EQ(unsaid.exitCode, 2);
    EXPECT_THAT(unsaid.err, HasSubstr("--top-k"));
    const Outcome made =
        runCli({"report", "--loads", loads, "--top-k", "2", "--out", folder / "r.json", "--quiet"});
    ASSERT_EQ(made.exitCode, 0) << made.err;
    const Json json = Json::parse(textOf(folder / "r.json"));
    EXPECT_NEAR(json.at("layers").at(0).at("metrics").at("max_vio").at("value").get<double>(), 0.5,
                1e-9);
}

TEST_F(Report, WrongUseIsSaidInOneSentence) {
    const auto error = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "report");
        const Outcome outcome = runCli(arguments);
        EXPECT_EQ(outcome.exitCode, 2) << outcome.err;
        return outcome.err;
    };
    EXPECT_THAT(error({db, "--out", folder / "r.txt"}), HasSubstr(".html"));
    EXPECT_THAT(error({"--out", folder / "r.html"}), HasSubstr("--loads"));
    EXPECT_THAT(error({db, "--against", "2", "--out", folder / "r.html"}), HasSubstr("--sessions"));
    EXPECT_THAT(error({db, "--slots", "40", "--out", folder / "r.html"}), HasSubstr("--gpus"));
    const Outcome absent = runCli({"report", db, "--sessions", "9", "--out", folder / "r.html"});
    EXPECT_EQ(absent.exitCode, 1);
    EXPECT_THAT(absent.err, HasSubstr("session 9"));
    EXPECT_FALSE(std::filesystem::exists(folder / "r.html"));
}

}  // namespace
}  // namespace gatescope::cli
