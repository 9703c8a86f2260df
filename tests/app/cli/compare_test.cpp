// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;

/// Sessions 1 to 4: two sums, two stories.
class Compare : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        s_folder = std::make_unique<TemporaryFolder>();
        const std::string prompts = *s_folder / "prompts.jsonl";
        std::ofstream(prompts) << "{\"prompt\": \"What is 12 + 30?\", \"domain\": \"arithmetic\"}\n"
                                  "{\"prompt\": \"What is 7 + 5?\", \"domain\": \"arithmetic\"}\n"
                                  "{\"prompt\": \"Tell me a story.\", \"domain\": \"stories\"}\n"
                                  "{\"prompt\": \"Write a story.\", \"domain\": \"stories\"}\n";
        const Outcome run = runCli({"analyze", demo, "--prompts", prompts, "--max-tokens", "48",
                                    "--session", file(), "--quiet"});
        ASSERT_EQ(run.exitCode, 0) << run.err;
    }
    static void TearDownTestSuite() { s_folder.reset(); }

    static std::string file() { return *s_folder / "log.db"; }
    static Outcome compare(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"compare", file()});
        return runCli(arguments);
    }
    static Json json(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"--json", "--permutations", "199"});
        const Outcome run = compare(arguments);
        EXPECT_EQ(run.exitCode, 0) << run.err;
        return Json::parse(run.out);
    }

    static std::unique_ptr<TemporaryFolder> s_folder;
};

std::unique_ptr<TemporaryFolder> Compare::s_folder;

TEST_F(Compare, JsonHoldsEveryNumberWithItsN) {
    const Json all = json({"1-2", "3,4", "--block", "8"});
    ASSERT_EQ(all.at("runs").size(), 2);
    EXPECT_EQ(all.at("runs").at(0).at("answers"), 2);
    EXPECT_EQ(all.at("runs").at(1).at("sessions"), "3,4");
    const Json& pair = all.at("pairs").at(0);
    EXPECT_EQ(pair.at("test").at("unit"), "block");
    EXPECT_EQ(pair.at("test").at("main").at("permutations"), 199);
    std::int64_t n = 0;
    for (const Json& stratum : pair.at("strata")) {
        EXPECT_EQ(stratum.at("special"), stratum.at("n_a") == 0);
        if (stratum.at("phase") != "draft") n += stratum.at("n_a").get<std::int64_t>();
    }
    EXPECT_EQ(pair.at("verdict").at("n_a"), n);
    EXPECT_EQ(all.at("runs").at(0).at("routed_tokens"), n);
    ASSERT_EQ(pair.at("layers").size(), 6);
    for (const Json& layer : pair.at("layers")) {
        EXPECT_TRUE(layer.at("mtp") == true || layer.at("n_a") == n);
        EXPECT_EQ(layer.at("choices_a"), 4 * layer.at("n_a").get<std::int64_t>());
        for (const char* name : {"jsd_equal_bits", "jsd_weighted_bits", "jsd_stratified_bits",
                                 "total_variation", "cosine", "spearman"}) {
            EXPECT_EQ(layer.at(name).at("n"),
                      layer.at("n_a").get<std::int64_t>() + layer.at("n_b").get<std::int64_t>());
            EXPECT_TRUE(layer.at(name).at("value").is_number());
        }
        const Json& tested = layer.at("jsd_stratified_bits");
        EXPECT_GE(tested.at("p_value"), 1.0 / 200);
        EXPECT_GE(tested.at("p_value_holm"), tested.at("p_value"));
        EXPECT_TRUE(layer.at("self_a_bits").contains("p_value"));
    }
    ASSERT_FALSE(pair.at("experts").empty());
    for (const Json& expert : pair.at("experts")) {
        EXPECT_EQ(expert.at("score").at("n"), expert.at("chosen_a").get<std::int64_t>() +
                                                  expert.at("chosen_b").get<std::int64_t>());
        EXPECT_GT(expert.at("score").at("p_value"), 0);
        EXPECT_EQ(expert.at("log2_ratio").at("interval").size(), 2);
    }
    EXPECT_TRUE(pair.at("aligned").is_null());
}

TEST_F(Compare, TablesBeginWithWhatCanBeSaid) {
    const Outcome apart =
        compare({"1,2", "3,4", "--block", "8", "--permutations", "999", "--top", "3"});
    ASSERT_EQ(apart.exitCode, 0) << apart.err;
    EXPECT_THAT(apart.out, HasSubstr("of 5 layers differ beyond chance between A and B at n = "));
    EXPECT_THAT(apart.out, HasSubstr("Layers, the most different first"));
    EXPECT_THAT(apart.out, HasSubstr("6 (MTP)"));
    EXPECT_THAT(apart.out, HasSubstr("Experts that shifted"));
    EXPECT_THAT(apart.out, HasSubstr("A: sessions 1,2: [arithmetic] What is 12 + 30? and 1 more"));
    const Outcome few = compare({"1", "2"});
    ASSERT_EQ(few.exitCode, 0) << few.err;
    EXPECT_THAT(few.out, StartsWith("Too little to say whether A and B differ: n = "));
    EXPECT_THAT(few.out, HasSubstr("A is too short to be compared with itself."));
    const Outcome none = compare({"1", "2", "--phases", "draft"});
    EXPECT_THAT(none.out, StartsWith("A and B cannot be compared"));
}

TEST_F(Compare, TheSameTokensAreAligned) {
    const Json all = json({"3", "3"});
    const Json& aligned = all.at("pairs").at(0).at("aligned");
    EXPECT_GT(aligned.at("n"), 48);
    EXPECT_EQ(aligned.at("saturation").at("value"), 1);
    EXPECT_EQ(aligned.at("chance"), 0.125);
    EXPECT_TRUE(aligned.at("first_difference").is_null());
    EXPECT_EQ(aligned.at("equal_tokens"), aligned.at("answer_tokens"));
    for (const Json& layer : all.at("pairs").at(0).at("layers")) {
        EXPECT_EQ(layer.at("jsd_stratified_bits").at("value"), 0);
    }
    EXPECT_THAT(compare({"3", "3"}).out, HasSubstr("Every choice of experts is the same."));
}

TEST_F(Compare, OptionsChangeWhatIsCompared) {
    const std::vector<std::string> sides = {"1,2", "3,4", "--block", "8"};
    const auto with = [&](std::vector<std::string> more) {
        std::vector<std::string> all = sides;
        all.insert(all.end(), more.begin(), more.end());
        return json(all).at("pairs").at(0);
    };
    const Json plain = with({});
    EXPECT_EQ(plain, with({"--threads", "1"}));
    EXPECT_NE(plain.at("layers"), with({"--seed", "2"}).at("layers"));
    EXPECT_LT(with({"--phases", "decode"}).at("verdict").at("n_a"), plain.at("verdict").at("n_a"));
    const Json special = with({"--special"});
    EXPECT_GT(special.at("verdict").at("n_a"), plain.at("verdict").at("n_a"));
    const Json after = with({"--special", "--after-common-prefix"});
    EXPECT_GT(after.at("prefix_tokens"), 0);
    EXPECT_LT(after.at("verdict").at("n_a"), special.at("verdict").at("n_a"));
}

TEST_F(Compare, EverySideWithTheFirst) {
    const Json all = json({"1", "2", "3,4"});
    ASSERT_EQ(all.at("pairs").size(), 2);
    EXPECT_EQ(all.at("pairs").at(1).at("a"), "A");
    EXPECT_EQ(all.at("pairs").at(1).at("b"), "C");
    EXPECT_THAT(compare({"1", "2", "3"}).out, HasSubstr("---- A and C"));
}

TEST_F(Compare, BadInputIsNamed) {
    expectComplaint({"compare", file(), "1"}, 2, "SIDES");
    expectComplaint({"compare", file(), "1", "two"}, 2, "two");
    expectComplaint({"compare", file(), "1", "2", "--phases", "rejected"}, 2, "rejected");
    expectComplaint({"compare", file(), "1", "2", "--permutations", "5"}, 2, "5");
    expectComplaint({"compare", file(), "1", "2", "1", "2", "1", "2", "1", "2", "1"}, 2,
                    "at most 8");
    expectComplaint({"compare", file(), "1", "99"}, 1, "99");
    expectComplaint({"compare", *s_folder / "none.db", "1", "2"}, 1, "none.db");
}

// The same model and settings on both sides: identical tokens cannot be routed otherwise.
TEST_F(Compare, SameTokensRunsTheTextOfAThroughBothSides) {
    const Json all = json({"3", "4", "--same-tokens"});
    const Json& pair = all.at("pairs").at(0);
    EXPECT_EQ(pair.at("aligned_on_tokens_of_a"), true);
    const Json& aligned = pair.at("aligned");
    EXPECT_EQ(aligned.at("n"), all.at("runs").at(0).at("prompt_tokens").get<int>() +
                                   all.at("runs").at(0).at("answer_tokens").get<int>());
    EXPECT_EQ(aligned.at("saturation").at("value"), 1.0);
    EXPECT_EQ(aligned.at("max_kl_nats").at("value"), 0.0);
    EXPECT_EQ(aligned.at("max_kl_nats").at("n"), aligned.at("n"));
    EXPECT_EQ(json({"3", "4"}).at("pairs").at(0).at("aligned"), nullptr);
    EXPECT_THAT(compare({"3", "4", "--same-tokens"}).out, HasSubstr("KL(A || B)"));
}

}  // namespace
}  // namespace gatescope::cli
