// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/session/session_store.h"
#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::ContainsRegex;
using testing::HasSubstr;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;

Json generated(const std::vector<std::string>& more) {
    std::vector<std::string> all = {
        "generate",     demo, "--prompt", "Tell me a story about a fox named Mia.",
        "--max-tokens", "60", "--json"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome run = runCli(all);
    EXPECT_EQ(run.exitCode, 0) << run.err;
    return Json::parse(run.out);
}

std::int64_t sum(const Json& numbers) {
    std::int64_t total = 0;
    for (const Json& number : numbers) total += number.get<std::int64_t>();
    return total;
}

/// What the figures say must be what the steps say.
void expectConsistent(const Json& speculation) {
    std::int64_t drafted = 0;
    std::int64_t accepted = 0;
    for (const Json& step : speculation.at("verify_steps")) {
        ASSERT_EQ(step.at("depth"), step.at("drafts").size());
        drafted += step.at("depth").get<std::int64_t>();
        accepted += step.at("accepted").get<std::int64_t>();
        for (std::size_t i = 0; i < step.at("drafts").size(); ++i) {
            EXPECT_EQ(step.at("drafts").at(i).at("accepted"), i < step.at("accepted"));
        }
        EXPECT_EQ(step.at("distinct_experts").size(), 5);  // main MoE layers of the demo model
        EXPECT_LE(sum(step.at("wasted_experts")), sum(step.at("distinct_experts")));
        EXPECT_GT(step.at("verify_ns"), 0);
    }
    EXPECT_EQ(speculation.at("num_spec_steps"), speculation.at("verify_steps").size());
    EXPECT_EQ(speculation.at("steps"), speculation.at("num_spec_steps"));
    EXPECT_EQ(speculation.at("num_draft_tokens"), drafted);
    EXPECT_EQ(speculation.at("drafted"), drafted);
    EXPECT_EQ(speculation.at("num_accepted_draft_tokens"), accepted);
    EXPECT_EQ(speculation.at("drafts").size(), drafted);
    EXPECT_EQ(sum(speculation.at("acceptance_histogram")), speculation.at("num_spec_steps"));
    const double steps = speculation.at("num_spec_steps");
    const double count = static_cast<double>(accepted);
    EXPECT_NEAR(speculation.at("mean_acceptance_length"), 1 + count / steps, 1e-12);
    EXPECT_NEAR(speculation.at("mean_acceptance_length_without_bonus"), count / steps, 1e-12);
    EXPECT_NEAR(speculation.at("draft_acceptance_rate"), count / static_cast<double>(drafted),
                1e-12);
    std::int64_t byPosition = 0;
    for (const Json& position : speculation.at("positions")) {
        byPosition += position.at("accepted").get<std::int64_t>();
        EXPECT_LE(position.at("n_reached"), position.at("n_asked"));
        if (position.at("n_reached") == 0) continue;
        EXPECT_LE(position.at("conditional_rate_95").at(0), position.at("conditional_rate"));
        EXPECT_GE(position.at("conditional_rate_95").at(1), position.at("conditional_rate"));
    }
    EXPECT_EQ(byPosition, accepted);
}

TEST(Speculation, FiguresOfAnAnswerAreThoseOfItsSteps) {
    const Json answer = generated({"--speculate", "mtp", "--drafts", "3", "--plain-every", "4"});
    const Json speculation = answer.at("speculation");
    EXPECT_EQ(speculation.at("mode"), "mtp");
    EXPECT_EQ(speculation.at("num_spec_tokens"), 3);
    expectConsistent(speculation);
    for (const Json& step : speculation.at("verify_steps")) {
        EXPECT_EQ(step.at("source"), "mtp");
        EXPECT_EQ(step.at("match_length"), 0);
        EXPECT_LE(step.at("depth"), 3);
    }
    // The first token is the prefill's; every step after it gives its accepted drafts and one more.
    const std::int64_t plain = speculation.at("plain_steps");
    EXPECT_GT(plain, 0);
    EXPECT_LE(answer.at("ids").size(), 1 + plain + speculation.at("steps").get<std::int64_t>() +
                                           speculation.at("accepted").get<std::int64_t>());
    EXPECT_EQ(speculation.at("plain_step_ns").at("n"), plain);
    const Json& speed = speculation.at("tokens_per_second");
    EXPECT_EQ(speed.at("n_plain_steps"), plain);
    EXPECT_NEAR(speed.at("gain"),
                speed.at("with").get<double>() / speed.at("without").get<double>() - 1, 1e-9);
}

TEST(Speculation, LookupSaysHowMuchItFound) {
    const Json speculation =
        generated({"--speculate", "lookup", "--drafts", "2", "--plain-every", "0"})
            .at("speculation");
    ASSERT_GT(speculation.at("num_spec_steps"), 0);
    expectConsistent(speculation);
    for (const Json& step : speculation.at("verify_steps")) {
        EXPECT_EQ(step.at("source"), "lookup");
        EXPECT_GT(step.at("match_length"), 0);
        EXPECT_EQ(step.at("drafts").at(0).at("draft_probability"), 1.0);
    }
}

TEST(Speculation, NobodyDraftsWhereItIsOff) {
    const Json speculation = generated({"--speculate", "off"}).at("speculation");
    EXPECT_EQ(speculation.at("num_spec_steps"), 0);
    EXPECT_EQ(speculation.at("num_spec_tokens"), 0);
    EXPECT_TRUE(speculation.at("draft_acceptance_rate").is_null());
    EXPECT_TRUE(speculation.at("acceptance").is_null());
    EXPECT_TRUE(speculation.at("tokens_per_second").at("gain").is_null());
    EXPECT_GT(speculation.at("tokens_per_second").at("without"), 0);
}

TEST(Speculation, WhatWasPrintedIsWhatASessionKeeps) {
    const TemporaryFolder folder;
    const std::string file = folder / "s.db";
    const Json answer = generated({"--speculate", "mtp", "--drafts", "3", "--session", file});
    const StoredSession session = SessionStore(file).load(1);
    std::vector<StepTrace> kept;
    for (const StepTrace& step : session.turns.at(1).steps) {
        if (step.speculation) kept.push_back(step);
    }
    const Json& printed = answer.at("speculation").at("verify_steps");
    ASSERT_EQ(kept.size(), printed.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        EXPECT_EQ(kept[i].step, printed[i].at("step"));
        EXPECT_EQ(kept[i].speculation->accepted, printed[i].at("accepted"));
        EXPECT_EQ(kept[i].speculation->drafted(), printed[i].at("depth"));
        EXPECT_EQ(Json(kept[i].speculation->distinctExperts), printed[i].at("distinct_experts"));
    }
    const SpeculationStats& stats = session.turns.at(1).result->speculation;
    EXPECT_EQ(stats.plainSteps, answer.at("speculation").at("plain_steps"));
    std::int64_t outcomes = 0;
    for (const auto& row : stats.outcomes) {
        for (const std::int64_t steps : row) outcomes += steps;
    }
    EXPECT_EQ(outcomes, stats.steps);
}

TEST(Speculation, MetricsFileHasTheCounters) {
    const TemporaryFolder folder;
    const std::string file = folder / "draft.prom";
    const Json figures = generated({"--speculate", "mtp", "--drafts", "2", "--metrics-file", file})
                             .at("speculation");
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    const auto line = [](const std::string& name, const std::string& labels, const Json& value) {
        return fmt::format("\nvllm:spec_decode_num_{}_total{{model_name=\"demo-model\"{}}} {}\n",
                           name, labels, value.dump());
    };
    EXPECT_THAT(text.str(), HasSubstr(line("drafts", "", figures.at("num_spec_steps"))));
    EXPECT_THAT(text.str(), HasSubstr(line("draft_tokens", "", figures.at("num_draft_tokens"))));
    EXPECT_THAT(text.str(),
                HasSubstr(line("accepted_tokens", "", figures.at("num_accepted_draft_tokens"))));
    for (int i = 0; i < 2; ++i) {
        EXPECT_THAT(text.str(),
                    HasSubstr(line("accepted_tokens_per_pos", fmt::format(",position=\"{}\"", i),
                                   figures.at("positions").at(i).at("accepted"))));
    }
    EXPECT_THAT(text.str(), HasSubstr("# TYPE vllm:spec_decode_num_drafts_total counter\n"));
    expectComplaint({"generate", demo, "--prompt", "a", "--max-tokens", "1", "--json",
                     "--metrics-file", "/nowhere/at/all"},
                    1, "/nowhere/at/all");
}

TEST(Speculation, AChatSaysWhatWasAccepted) {
    const TemporaryFolder folder;
    const Outcome run = runCli(
        {"chat", demo, "--session", folder / "s.db", "--speculate", "mtp", "--plain-every", "3"},
        "Tell me a story about a fox named Mia.\n");
    EXPECT_EQ(run.exitCode, 0) << run.err;
    EXPECT_THAT(run.err,
                ContainsRegex("drafts [0-9]+/[0-9]+ accepted \\([0-9]+ %\\), [12]\\.[0-9]+ "
                              "tokens a step, drafting [+-][0-9]+ % \\([0-9]+ plain"));
}

std::string twoDomains(const TemporaryFolder& folder) {
    const std::string file = folder / "prompts.jsonl";
    std::ofstream(file) << "{\"prompt\": \"What is 12 + 30?\", \"domain\": \"arithmetic\"}\n"
                           "{\"prompt\": \"Tell me a story.\", \"domain\": \"stories\"}\n"
                           "{\"prompt\": \"What is 7 + 5?\", \"domain\": \"arithmetic\"}\n";
    return file;
}

TEST(SpeculationBench, EveryModeOnEveryDomainWithTheSameText) {
    const TemporaryFolder folder;
    const Outcome run =
        runCli({"bench", demo, "--speculation", "--prompts", twoDomains(folder), "--modes",
                "mtp2,lookup,auto", "--gen-tokens", "12", "--repetitions", "2", "--json"});
    ASSERT_EQ(run.exitCode, 0) << run.err;
    const Json bench = Json::parse(run.out);
    EXPECT_EQ(bench.at("random_weights"), false);
    ASSERT_EQ(bench.at("domains").size(), 3);
    EXPECT_EQ(bench.at("domains").at(0).at("domain"), "arithmetic");
    EXPECT_EQ(bench.at("domains").at(0).at("n_prompts"), 2);
    EXPECT_EQ(bench.at("domains").at(2).at("domain"), "all");
    EXPECT_EQ(bench.at("domains").at(2).at("n_prompts"), 3);
    for (const Json& domain : bench.at("domains")) {
        const Json& modes = domain.at("modes");
        ASSERT_EQ(modes.size(), 4);
        EXPECT_EQ(modes.at(0).at("mode"), "off");
        EXPECT_EQ(modes.at(0).at("ratio_to_off").at("median"), 1.0);
        // Everything but the first token of each answer, twice.
        EXPECT_EQ(modes.at(0).at("plain_steps"), 2 * domain.at("n_tokens").get<std::int64_t>());
        EXPECT_GT(modes.at(0).at("plain_step_ms"), 0.0);
        EXPECT_EQ(modes.at(1).at("num_spec_tokens"), 2);
        EXPECT_GT(modes.at(1).at("num_spec_steps"), 0);
        for (const Json& mode : modes) {
            EXPECT_EQ(mode.at("tokens_per_second").at("runs").size(), 2);
        }
        const Json& experts = modes.at(1).at("experts");
        EXPECT_EQ(experts.at("plain_step"), 5 * 4);
        EXPECT_GE(experts.at("per_verify_step_to_plain_step"), 1.0);
        EXPECT_LE(experts.at("per_verify_step_to_plain_step"), 3.0);  // of three positions
    }
    EXPECT_EQ(bench.at("texts").at("answers_compared"), 3 * 4 * 3);
    EXPECT_EQ(bench.at("texts").at("answers_that_differ"), 0);
}

TEST(SpeculationBench, TableForPeople) {
    const TemporaryFolder folder;
    const Outcome run =
        runCli({"bench", demo, "--speculation", "--prompts", twoDomains(folder), "--modes",
                "off,mtp1", "--gen-tokens", "6", "--repetitions", "1", "--per-domain", "1"});
    ASSERT_EQ(run.exitCode, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("\narithmetic (1 prompts, "));
    EXPECT_THAT(run.out, HasSubstr("\nall (2 prompts, "));
    EXPECT_THAT(run.out, HasSubstr("0 of 8 answers differ"));
    EXPECT_EQ(run.out.find("means nothing"), std::string::npos);
}

}  // namespace
}  // namespace gatescope::cli
