// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

#include "engine/session/session_store.h"
#include "tests/app/cli/run_program.h"

// The program with the CUDA backend in its folder: here the backend runs its kernels on the CPU
// (tests/simt), so what is tested is everything but the GPU itself.

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;
const std::string gpu = "cuda:0";

/// An environment variable for the programs started while this lives.
class Environment {
  public:
    Environment(const char* name, const char* value) : m_name(name) { setenv(name, value, 1); }
    ~Environment() { unsetenv(m_name); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

  private:
    const char* m_name;
};

Json generateJson(const std::vector<std::string>& options) {
    std::vector<std::string> arguments{"generate", demo,           "--prompt", "What is 12 + 30?",
                                       "--json",   "--max-tokens", "8"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome run = runCli(arguments);
    EXPECT_EQ(run.exitCode, 0) << run.err;
    return run.exitCode == 0 ? Json::parse(run.out) : Json();
}

/// Every expert chosen in the session that a run left, in the order it was recorded.
std::vector<std::uint16_t> chosenExperts(const std::string& file, const Json& run) {
    const SessionStore store(file);
    const auto stored = store.load(run.at("session").at("number").get<std::int64_t>());
    std::vector<std::uint16_t> experts;
    for (const StoredTurn& turn : stored.turns)
        for (const StepTrace& step : turn.steps)
            for (const auto* tokens : {&step.tokens, &step.mtp})
                for (const RoutedToken& token : *tokens)
                    experts.insert(experts.end(), token.routing.experts.begin(),
                                   token.routing.experts.end());
    return experts;
}

TEST(CudaCommands, DevicesListsTheGpu) {
    EXPECT_THAT(runCli({"devices"}).out, AllOf(HasSubstr("cpu"), HasSubstr("cuda:0")));
    const Json list = Json::parse(runCli({"devices", "--json"}).out);
    EXPECT_EQ(list.at("gpu_backend"), true);
    EXPECT_TRUE(list.at("gpu_problem").is_null());
    ASSERT_EQ(list.at("devices").size(), 2U);
    EXPECT_EQ(list.at("devices")[1].at("name"), gpu);
    EXPECT_EQ(list.at("devices")[1].at("precision"), Json({"exact", "fast"}));
}

TEST(CudaCommands, AMachineWithoutAGpuSaysSoAndRunsAsBefore) {
    const Environment none("GATESCOPE_SIMT_DEVICES", "0");
    const Outcome run = runCli({"devices"});
    EXPECT_EQ(run.exitCode, 0);
    EXPECT_THAT(run.out, HasSubstr("No GPU is offered: there is no NVIDIA GPU here."));
    expectComplaint({"generate", demo, "--tokens", "1", "--device", gpu}, 1, "no NVIDIA GPU");
    EXPECT_EQ(runCli({"generate", demo, "--tokens", "1", "--max-tokens", "1"}).exitCode, 0);
}

TEST(CudaCommands, ADeviceThatIsNotThereIsNamed) {
    expectComplaint({"generate", demo, "--tokens", "1", "--device", "cuda:1"}, 1,
                    "there is cuda:0");
}

// Drafts and their fate too: the recorded steps of main model and MTP module run here.
TEST(CudaCommands, ExactGivesTheTokensAndTheRoutingOfTheCpu) {
    TemporaryFolder folder;
    const std::string file = folder / "s.db";
    const Json cpu = generateJson({"--session", file, "--speculate", "mtp"});
    const Json cuda = generateJson(
        {"--device", gpu, "--precision", "exact", "--session", file, "--speculate", "mtp"});
    EXPECT_EQ(cuda.at("ids"), cpu.at("ids"));
    for (const char* count : {"steps", "drafted", "accepted"})
        EXPECT_EQ(cuda.at("speculation").at(count), cpu.at("speculation").at(count)) << count;
    EXPECT_EQ(cuda.at("precision"), "exact");
    EXPECT_THAT(cuda.at("device").get<std::string>(), HasSubstr("cuda:0"));
    const auto chosen = chosenExperts(file, cpu);
    EXPECT_GT(chosen.size(), 100U);
    EXPECT_EQ(chosenExperts(file, cuda), chosen);
}

TEST(CudaCommands, DraftsChangeNothingInExact) {
    const std::vector<std::string> exact{"--device", gpu, "--precision", "exact"};
    const auto with = [&](const std::string& speculate) {
        auto options = exact;
        options.insert(options.end(), {"--speculate", speculate, "--temperature", "1", "--top-k",
                                       "20", "--seed", "3"});
        return generateJson(options).at("ids");
    };
    const Json off = with("off");
    EXPECT_EQ(with("mtp"), off);
    EXPECT_EQ(with("lookup"), off);
}

// A text that differs is counted, with how near a tie it was, and is no failure in fast.
TEST(CudaCommands, TheSpeculationBenchCountsWhatDiffersInFast) {
    TemporaryFolder folder;
    const std::string prompts = folder / "p.jsonl";
    std::ofstream(prompts) << "{\"prompt\": \"Hi\", \"domain\": \"greetings\"}\n";
    const Outcome run =
        runCli({"bench", demo, "--speculation", "--device", gpu, "--prompts", prompts, "--modes",
                "off,mtp2", "--gen-tokens", "3", "--repetitions", "1", "--json"});
    ASSERT_EQ(run.exitCode, 0) << run.err;
    const Json bench = Json::parse(run.out);
    EXPECT_EQ(bench.at("precision"), "fast");
    const Json& texts = bench.at("texts");
    EXPECT_EQ(texts.at("answers_compared"), 4);
    EXPECT_EQ(texts.at("answers_that_differ"), texts.at("differences").size());
    for (const Json& difference : texts.at("differences")) {
        EXPECT_GE(difference.at("margin"), 0.0);
        EXPECT_LT(difference.at("margin"), 0.1);
    }
    EXPECT_GT(bench.at("domains").at(0).at("modes").at(1).at("num_spec_steps"), 0);
}

TEST(CudaCommands, FastIsTheDefaultAndIsLabelled) {
    TemporaryFolder folder;
    const std::string file = folder / "s.db";
    const Json cuda = generateJson({"--device", gpu, "--session", file});
    EXPECT_EQ(cuda.at("precision"), "fast");
    EXPECT_EQ(cuda.at("speculation").at("mode"), "mtp");  // auto only where it changes no token
    EXPECT_EQ(cuda.at("ids").size(), 8U);
    SessionStore store(file);
    const auto stored = store.load(cuda.at("session").at("number").get<std::int64_t>());
    EXPECT_EQ(stored.info.precision, "fast");
    EXPECT_THAT(stored.info.device, HasSubstr("cuda:0"));
}

TEST(CudaCommands, ExpertsOnTheCpuGiveTheSameTokens) {
    const std::vector<std::string> exact{"--device", gpu, "--precision", "exact"};
    auto some = exact;
    some.insert(some.end(), {"--experts-on-cpu", "3"});
    const Json mixed = generateJson(some);
    EXPECT_EQ(mixed.at("ids"), generateJson(exact).at("ids"));
    EXPECT_THAT(mixed.at("device").get<std::string>(), HasSubstr("experts of 3 layers on the cpu"));
    expectComplaint({"generate", demo, "--tokens", "1", "--device", gpu, "--experts-on-cpu", "7"},
                    1, "6 MoE layers");
}

TEST(CudaCommands, EveryCacheTypeRuns) {
    for (const char* type : {"f32", "bf16", "fp8"}) {
        SCOPED_TRACE(type);
        EXPECT_EQ(generateJson({"--device", gpu, "--cache-type", type}).at("ids").size(), 8U);
    }
}

TEST(CudaCommands, AGpuWithoutMemorySaysHowMuchIsNeeded) {
    const Environment memory("GATESCOPE_SIMT_DEVICE_MEMORY", "100000000");
    expectComplaint({"generate", demo, "--tokens", "1", "--device", gpu}, 1,
                    "256 MiB needed, 95 MiB free");
    EXPECT_THAT(runCli({"devices"}).out, HasSubstr("not usable: not enough memory"));
}

// The whole folder takes minutes here: `gatescope-cli verify tests/golden --device cuda:0` in the
// shim's folder, or on a GPU.
class CudaVerify : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(CudaVerify, PassesItsTolerances) {
    const auto [model, precision] = GetParam();
    const Outcome run = runCli({"verify", GATESCOPE_GOLDEN_DIR, "--only", model, "--device", gpu,
                                "--precision", precision});
    EXPECT_EQ(run.exitCode, 0) << run.out << run.err;
    EXPECT_THAT(run.out, HasSubstr(" 0 failed"));
}

INSTANTIATE_TEST_SUITE_P(Golden, CudaVerify,
                         testing::Values(std::tuple{"v3-fp8", "exact"},
                                         std::tuple{"v3-mini", "fast"}),
                         [](const auto& param) {
                             return std::string(std::get<0>(param.param) == std::string("v3-fp8")
                                                    ? "Fp8Exact"
                                                    : "Bf16Fast");
                         });

TEST(CudaCommands, WhatFailsOnTheGpuEndsWithOneSentence) {
    const std::vector<std::string> generate{"generate", demo, "--prompt",     "What is 12 + 30?",
                                            "--device", gpu,  "--max-tokens", "12"};
    for (const char* fault :
         {"cudaGraphLaunch:2:700", "cudaMemcpyAsync:30:700", "cudaGraphInstantiate:0:2",
          "cudaStreamSynchronize:8:719", "cudaMalloc:40:2"}) {
        SCOPED_TRACE(fault);
        const Environment fail("GATESCOPE_SIMT_FAIL", fault);
        const Outcome run = runCli(generate);
        EXPECT_EQ(run.exitCode, 1) << run.err;
        EXPECT_THAT(run.err, AnyOf(HasSubstr("cuda: "), HasSubstr("not enough GPU memory")));
    }
}

}  // namespace
}  // namespace gatescope::cli
