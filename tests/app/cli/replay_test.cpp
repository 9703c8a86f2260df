// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;

class Replay : public testing::Test {
  protected:
    void SetUp() override {
        m_folder = std::filesystem::temp_directory_path() /
                   ("gatescope-replay-" + std::to_string(::getpid()));
        std::filesystem::create_directories(m_folder);
        m_file = (m_folder / "s.db").string();
        const Outcome run =
            runCli({"generate", demo, "--prompt", "Tell me a story.", "--max-tokens", "20",
                    "--temperature", "0.7", "--seed", "3", "--session", m_file, "--json"});
        ASSERT_EQ(run.exitCode, 0) << run.err;
    }
    void TearDown() override { std::filesystem::remove_all(m_folder); }
    void change(const std::string& sql) const {
        SQLite::Database database(m_file, SQLite::OPEN_READWRITE);
        database.exec(sql);
    }

    std::filesystem::path m_folder;
    std::string m_file;
};

TEST_F(Replay, ComesOutTheSame) {
    const Outcome text = runCli({"replay", m_file, "1"});
    EXPECT_EQ(text.exitCode, 0) << text.err;
    EXPECT_THAT(text.out, HasSubstr("All 20 tokens"));
    EXPECT_THAT(text.out, HasSubstr("All choices of experts are the same"));
    const Outcome run = runCli({"replay", m_file, "1", "--threads", "1", "--json"});
    EXPECT_EQ(run.exitCode, 0) << run.err;
    const Json json = Json::parse(run.out);
    EXPECT_EQ(json.at("tokens").at("n"), 20);
    EXPECT_EQ(json.at("tokens").at("same"), true);
    EXPECT_EQ(json.at("routing").at("same"), true);
    EXPECT_GT(json.at("routing").at("n"), 20);
    EXPECT_TRUE(json.at("other_conditions").empty());
}

TEST_F(Replay, AnAnswerThatEndedByItselfEndsThere) {
    const Outcome run =
        runCli({"generate", demo, "--prompt", "What is 347 + 285?", "--session", m_file, "--json"});
    ASSERT_EQ(Json::parse(run.out).at("finish"), "stop");
    EXPECT_EQ(runCli({"replay", m_file, "2"}).exitCode, 0);
    change(
        "UPDATE answers SET settings_json = json_remove(settings_json, '$.stop_tokens', "
        "'$.vocab_limit')");  // as early versions stored them
    EXPECT_EQ(runCli({"replay", m_file, "2"}).exitCode, 0);
}

TEST_F(Replay, ADifferenceIsShownAndFails) {
    change("UPDATE tokens SET id = id + 1 WHERE seq = 4");
    const Outcome run = runCli({"replay", m_file, "1", "--json"});
    EXPECT_EQ(run.exitCode, 1);
    const Json json = Json::parse(run.out);
    EXPECT_EQ(json.at("tokens").at("same"), false);
    EXPECT_EQ(json.at("tokens").at("equal"), 4);
    EXPECT_EQ(json.at("tokens").at("differences").at(0).at("seq"), 4);
    EXPECT_THAT(runCli({"replay", m_file, "1"}).out, HasSubstr("Answer 1, token 5: stored"));
}

TEST_F(Replay, OtherConditionsAreNamedAndNoFailure) {
    change("UPDATE sessions SET device = 'cuda:0', precision = 'fast'");
    change("UPDATE tokens SET id = id + 1 WHERE seq = 4");
    const Outcome run = runCli({"replay", m_file, "1"});
    EXPECT_EQ(run.exitCode, 0);
    EXPECT_THAT(run.out, HasSubstr("cuda:0"));
}

TEST_F(Replay, BadInputIsOneSentence) {
    EXPECT_THAT(runCli({"replay", m_file, "7"}).err, HasSubstr("session 7"));
    change("UPDATE sessions SET model_path = ''");
    EXPECT_THAT(runCli({"replay", m_file, "1"}).err, HasSubstr("--model"));
    EXPECT_EQ(runCli({"replay", m_file, "1", "--model", demo}).exitCode, 0);
    EXPECT_EQ(runCli({"replay", m_file}).exitCode, 2);
}

}  // namespace
}  // namespace gatescope::cli
