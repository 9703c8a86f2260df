// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/session/session_store.h"
#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;

std::string promptFile(const TemporaryFolder& folder) {
    const std::string file = folder / "prompts.jsonl";
    std::ofstream(file) << "{\"prompt\": \"What is 12 + 30?\", \"domain\": \"arithmetic\"}\n"
                           "{\"prompt\": \"Tell me a story.\", \"domain\": \"stories\"}\n"
                           "{\"prompt\": \"What is 7 + 5?\", \"domain\": \"arithmetic\"}\n"
                           "{\"prompt\": \"Write a story.\", \"domain\": \"stories\"}\n";
    return file;
}

std::vector<std::string> analyze(const std::string& prompts, std::vector<std::string> more = {}) {
    std::vector<std::string> all = {"analyze", demo, "--prompts", prompts, "--max-tokens", "12"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

std::string contents(const std::string& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

TEST(Analyze, JsonCountsWhatWasRun) {
    const TemporaryFolder folder;
    const Outcome run = runCli(analyze(promptFile(folder), {"--json"}));
    ASSERT_EQ(run.exitCode, 0) << run.err;
    EXPECT_THAT(run.err, HasSubstr("4 of 4 prompts"));
    const Json json = Json::parse(run.out);
    EXPECT_EQ(json.at("prompts").at("answered"), 4);
    EXPECT_EQ(json.at("prompts").at("cancelled"), false);
    ASSERT_EQ(json.at("domains").size(), 2);
    EXPECT_EQ(json.at("domains").at(0).at("domain"), "arithmetic");
    EXPECT_EQ(json.at("domains").at(1).at("prompts"), 2);
    ASSERT_EQ(json.at("layers").size(), 6);
    const std::int64_t n = json.at("domains").at(0).at("n").get<std::int64_t>() +
                           json.at("domains").at(1).at("n").get<std::int64_t>();
    for (const Json& layer : json.at("layers")) {
        EXPECT_TRUE(layer.at("replication").contains("n"));
        // Shares of k choices in 32 experts: every token of a domain has four.
        for (const Json& domain : layer.at("domains")) {
            double sum = 0;
            for (const Json& affinity : domain.at("affinity")) sum += affinity.get<double>();
            EXPECT_NEAR(sum, 4.0, 1e-9);
        }
        if (layer.at("mtp") == true) continue;
        EXPECT_EQ(layer.at("balance").at("n"), n);
        EXPECT_EQ(layer.at("bias").at("n"), n);
        EXPECT_GT(layer.at("balance").at("max_vio").at("null_mean"), 0.0);
        const Json& cache = layer.at("expert_cache");
        EXPECT_GT(cache.at("n_second_half"), 0);
        EXPECT_LT(cache.at("n_second_half"), cache.at("n"));
        EXPECT_EQ(cache.at("hit_rates").size(), 6);  // 1, 2, 4 .. 32
        EXPECT_EQ(cache.at("hit_rates").at(5).at("pinned_first_half"), 1.0);
        if (layer.at("layer") == 5) {
            EXPECT_TRUE(layer.at("next_layer").is_null());
            continue;
        }
        const Json& next = layer.at("next_layer");
        EXPECT_EQ(next.at("n"), n);
        EXPECT_EQ(next.at("shifted").at("n"), n);
        EXPECT_EQ(next.at("shifted").at("mutual_information_nats").is_null(), n < 82);
        EXPECT_EQ(next.at("shifted").at("p_value").is_null(), n < 82);
        EXPECT_GT(next.at("mutual_information_nats"), next.at("bias_nats"));
    }
    EXPECT_EQ(json.at("expert_cache_main_layers").size(), 6);
    EXPECT_EQ(json.at("layers").at(5).at("mtp"), true);
    EXPECT_EQ(json.at("chance"), 0.125);
}

TEST(Analyze, TablesFilesAndSessions) {
    const TemporaryFolder folder;
    const std::string file = folder / "sessions.db";
    const std::string out = folder / "figures";
    const Outcome run =
        runCli(analyze(promptFile(folder), {"--session", file, "--out", out, "--quiet"}));
    ASSERT_EQ(run.exitCode, 0) << run.err;
    EXPECT_EQ(run.err, "");
    for (const char* title : {"Domains", "Load balance by layer",
                              "What the correction bias decides", "What a layer's choices tell",
                              "Expert cache", "Replication", "Specialists: at least 2x"}) {
        EXPECT_THAT(run.out, HasSubstr(title));
    }
    EXPECT_THAT(run.out, HasSubstr("6 (MTP)"));
    EXPECT_THAT(contents(out + "/layers.csv"), StartsWith("layer,mtp,n,"));
    EXPECT_THAT(contents(out + "/balance.csv"), HasSubstr("\r\n1,0,max_vio,"));
    EXPECT_THAT(contents(out + "/affinities.csv"), HasSubstr("\r\n1,0,\"arithmetic\",0,"));
    EXPECT_THAT(contents(out + "/specialists.csv"), StartsWith("layer,expert,domain,"));
    EXPECT_THAT(contents(out + "/vocabulary.csv"), StartsWith("layer,expert,kind,token_id,"));
    EXPECT_THAT(contents(out + "/next-layers.csv"), HasSubstr("\r\n1,2,"));
    EXPECT_THAT(contents(out + "/expert-cache.csv"), HasSubstr("\r\nmain,32,"));

    const SessionStore store(file);
    const auto sessions = store.list();
    ASSERT_EQ(sessions.size(), 4u);
    int arithmetic = 0;
    for (const auto& entry : sessions) {
        const StoredSession session = store.load(entry.id);
        ASSERT_EQ(session.turns.size(), 2u);
        EXPECT_LE(session.turns[1].tokens.size(), 12u);
        arithmetic += entry.title.starts_with("[arithmetic] ") ? 1 : 0;
    }
    EXPECT_EQ(arithmetic, 2);
}

TEST(Analyze, AcceptedDraftsByDomainAndClass) {
    const TemporaryFolder folder;
    const std::string prompts = promptFile(folder);
    const std::string out = folder / "figures";
    const Outcome run =
        runCli(analyze(prompts, {"--json", "--speculate", "mtp", "--drafts", "2", "--out", out}));
    ASSERT_EQ(run.exitCode, 0) << run.err;
    const Json speculation = Json::parse(run.out).at("speculation");
    EXPECT_EQ(speculation.at("mode"), "mtp");
    std::int64_t drafted = 0;
    std::int64_t accepted = 0;
    ASSERT_EQ(speculation.at("domains").size(), 2);
    for (const Json& domain : speculation.at("domains")) {
        EXPECT_EQ(domain.at("num_spec_tokens"), 2);
        drafted += domain.at("num_draft_tokens").get<std::int64_t>();
        accepted += domain.at("num_accepted_draft_tokens").get<std::int64_t>();
    }
    EXPECT_GT(accepted, 0);
    EXPECT_EQ(speculation.at("all").at("num_draft_tokens"), drafted);
    EXPECT_EQ(speculation.at("all").at("num_accepted_draft_tokens"), accepted);
    std::int64_t ofClasses = 0;
    for (const Json& rates : speculation.at("token_classes")) {
        ofClasses += rates.at("accepted").get<std::int64_t>();
        EXPECT_LE(rates.at("rate_95").at(0), rates.at("rate"));
        EXPECT_GE(rates.at("rate_95").at(1), rates.at("rate"));
    }
    EXPECT_EQ(ofClasses, accepted);
    EXPECT_THAT(contents(out + "/acceptance.csv"), HasSubstr("\r\ndomain,\"arithmetic\","));

    const Outcome tables = runCli(analyze(prompts));
    EXPECT_THAT(tables.out, HasSubstr("Accepted drafts by domain (mtp, up to 1 a step"));
    EXPECT_THAT(tables.out, HasSubstr("Accepted drafts by class of token"));
    const Outcome off = runCli(analyze(prompts, {"--speculate", "off"}));
    ASSERT_EQ(off.exitCode, 0) << off.err;
    EXPECT_EQ(off.out.find("Accepted drafts"), std::string::npos);
}

TEST(Analyze, SameFiguresForAnyNumberOfThreads) {
    const TemporaryFolder folder;
    const std::string prompts = promptFile(folder);
    const auto layers = [&](const char* threads) {
        return Json::parse(runCli(analyze(prompts, {"--json", "--threads", threads})).out)
            .at("layers");
    };
    EXPECT_EQ(layers("1"), layers("3"));
}

TEST(Analyze, BadInputIsNamed) {
    const TemporaryFolder folder;
    const std::string bad = folder / "bad.jsonl";
    std::ofstream(bad) << "{\"prompt\": \"a\", \"domain\": \"x\"}\n{\"prompt\": \"b\"}\n";
    expectComplaint({"analyze", demo, "--prompts", bad}, 1, "bad.jsonl: line 2: domain");
    expectComplaint({"analyze", demo, "--prompts", folder / "none.jsonl"}, 1, "none.jsonl");
    expectComplaint({"analyze", demo}, 2, "--prompts");
    expectComplaint({"analyze", folder / "nothing", "--prompts", promptFile(folder)}, 1, "nothing");
}

TEST(Analyze, AModelWithoutTokenizer) {
    const TemporaryFolder folder;
    expectComplaint({"analyze", golden("ckpt/v2-lite"), "--prompts", promptFile(folder)}, 1,
                    "tokenizer");
}

}  // namespace
}  // namespace gatescope::cli
