// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/report/placement_formats.h"
#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;

std::string textOf(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

Json placed(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "place");
    arguments.push_back("--json");
    const Outcome outcome = runCli(arguments);
    EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
    return Json::parse(outcome.out);
}

/// The example that DeepSeek publishes, with the slots it publishes.
TEST(Place, EplbGivesThePublishedExample) {
    const TemporaryFolder folder;
    const Json golden =
        Json::parse(std::ifstream(std::string(GATESCOPE_GOLDEN_DIR) + "/eplb.json"));
    int hierarchical = 0;
    for (const Json& one : golden.at("cases")) {
        if (one.value("policy", "") != "hierarchical" || one.contains("ties")) continue;
        ++hierarchical;
        const std::string loads = folder / "loads.json";
        std::ofstream(loads) << one.at("weight");
        const auto number = [&one](const char* key) {
            return std::to_string(one.at(key).get<int>());
        };
        const Json out = placed({"--loads", loads, "--policy", "eplb", "--gpus", number("num_gpus"),
                                 "--nodes", number("num_nodes"), "--slots", number("num_replicas"),
                                 "--groups", number("num_groups")});
        EXPECT_EQ(out.at("phy2log"), one.at("phy2log")) << one.at("name");
        EXPECT_EQ(out.at("logcnt"), one.at("logcnt")) << one.at("name");
    }
    EXPECT_GT(hierarchical, 0);
}

class PlaceSessions : public testing::Test {
  protected:
    /// Four answers of the demo model.
    void SetUp() override {
        for (const char* prompt :
             {"Tell me a story.", "What is 12 + 5?", "Hello.", "def add(a, b):"}) {
            ASSERT_EQ(runCli({"generate", demo, "--prompt", prompt, "--max-tokens", "24",
                              "--session", file, "--quiet"})
                          .exitCode,
                      0);
        }
    }
    const TemporaryFolder folder;
    const std::string file = folder / "s.db";
};

TEST_F(PlaceSessions, AreWrittenForEveryEngineWithWhatTheyAreMadeFrom) {
    for (const char* target : {"eplb", "sglang", "trtllm", "vllm", "vllm-ascend"}) {
        const std::string out = folder / target;
        const Json json = placed({file, "--gpus", "8", "--nodes", "2", "--slots", "40", "--groups",
                                  "4", "--target", target, "--out", out});
        EXPECT_EQ(json.at("wasted_slots"), 0);
        EXPECT_EQ(json.at("loads").at("blocks"), 4);
        EXPECT_TRUE(json.contains("held_out_eplb"));
        EXPECT_LE(json.at("predicted").at("vllm_balancedness"), 1);
        EXPECT_GE(json.at("predicted").at("vllm_balancedness"),
                  json.at("predicted_before").at("vllm_balancedness"));
        const Json about = Json::parse(textOf(out + ".meta.json"));
        EXPECT_EQ(about.at("layers"), json.at("layers"));
        EXPECT_FALSE(about.contains("phy2log"));
        PlacedLayers layers{json.at("layers").get<std::vector<int>>(), json.at("total_layers")};
        const Placement read = readPlacement(textOf(out), target, layers, json.at("experts"), 8, 2);
        for (int layer = 0; layer < read.layers; ++layer) {
            const auto row = read.row(layer);
            EXPECT_EQ(std::vector<std::int32_t>(row.begin(), row.end()),
                      json.at("phy2log")
                          .at(static_cast<std::size_t>(layer))
                          .get<std::vector<std::int32_t>>());
        }
    }
}

TEST_F(PlaceSessions, StayingPutSendsNothing) {
    const std::string out = folder / "now.json";
    placed({file, "--gpus", "8", "--slots", "40", "--target", "sglang", "--out", out});
    const Json again = placed({file, "--gpus", "8", "--slots", "40", "--current", out,
                               "--expert-bytes", "1000000", "--price-per-gib", "1000000"});
    EXPECT_EQ(again.at("moved_slots"), 0);
    EXPECT_EQ(again.at("migration_bytes"), 0);
    EXPECT_EQ(again.at("gpu_bytes"), 1000000 * 5 * static_cast<int>(again.at("layers").size()));
}

TEST_F(PlaceSessions, TheSameForAnyNumberOfThreads) {
    const auto with = [this](const char* threads) {
        return placed({file, "--gpus", "8", "--slots", "48", "--threads", threads}).at("phy2log");
    };
    EXPECT_EQ(with("1"), with("3"));
}

TEST_F(PlaceSessions, WhatCannotBePlacedIsOneSentence) {
    expectComplaint({"place", file, "--gpus", "7", "--slots", "40"}, 1, "7");
    expectComplaint({"place", file, "--gpus", "8", "--slots", "16"}, 1, "16");
    expectComplaint({"place", file, "--gpus", "8", "--slots", "40", "--target", "vllm"}, 2,
                    "--out");
    expectComplaint({"place", file, "--gpus", "8", "--slots", "40", "--sessions", "99"}, 1, "99");
    expectComplaint({"place", "--gpus", "8", "--slots", "40"}, 2, "--loads");
    const std::string loads = folder / "l.json";
    std::ofstream(loads) << "[[1, 2, 3, 4]]";
    expectComplaint({"place", "--loads", loads, "--gpus", "2", "--slots", "4", "--target", "sglang",
                     "--out", folder / "o"},
                    2, "--first-layer");
    expectComplaint({"place", "--loads", loads, "--gpus", "2", "--slots", "4", "--current", loads},
                    1, "l.json");
    EXPECT_FALSE(std::filesystem::exists(folder / "o"));
}

}  // namespace
}  // namespace gatescope::cli
