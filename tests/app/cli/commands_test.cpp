// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/safetensors.h"
#include "engine/session/session_store.h"
#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;

Json jsonOf(const Outcome& run) {
    EXPECT_EQ(run.exitCode, 0) << run.err;
    return Json::parse(run.out);
}

TEST(Inspect, CardOfTheDemoModel) {
    const Json card = jsonOf(runCli({"inspect", demo, "--json"}));
    EXPECT_EQ(card.at("model_type"), "deepseek_v3");
    EXPECT_EQ(card.at("architecture").at("layers"), 6);
    EXPECT_EQ(card.at("architecture").at("mtp_layer"), 6);
    EXPECT_EQ(card.at("routing").at("experts"), 32);
    EXPECT_EQ(card.at("routing").at("method"), "noaux_tc");
    EXPECT_EQ(card.at("limits").at("context"), 512);
    EXPECT_EQ(card.at("chat_format"), "deepseek-v3");
    // 6 layers of 64 + 32 float32 values; expanded: 4 heads of 32 + 32 + 64.
    EXPECT_EQ(card.at("cache_per_token").at("latent_bytes"), 6 * 96 * 4);
    EXPECT_EQ(card.at("cache_per_token").at("mtp_bytes"), 96 * 4);
    EXPECT_EQ(card.at("cache_per_token").at("expanded_bytes"), 6 * 4 * 128 * 4);
    std::int64_t sum = 0;
    for (const Json& group : card.at("parameters").at("groups")) {
        sum += group.at("total").get<std::int64_t>();
        if (group.at("name") == "routed experts") {
            EXPECT_EQ(group.at("total"), 5LL * 32 * 3 * 64 * 256);
            EXPECT_EQ(group.at("active"), 5LL * 4 * 3 * 64 * 256);
        }
        if (group.at("name") == "embedding") {
            EXPECT_EQ(group.at("active"), 256);
        }
    }
    EXPECT_EQ(card.at("parameters").at("total"), sum);
    EXPECT_THAT(runCli({"inspect", demo}).out, HasSubstr("top 4 of 32 experts"));
}

TEST(Inspect, ScalesOfFp8AreBytesNotParameters) {
    const Json card = jsonOf(runCli({"inspect", golden("ckpt/v3-fp8"), "--json"}));
    EXPECT_TRUE(card.at("bytes_by_dtype").contains("F8_E4M3"));
    EXPECT_EQ(card.at("fp8_blocks"), Json({128, 128}));
    EXPECT_TRUE(card.at("tokenizer").is_null());
    for (const Json& group : card.at("parameters").at("groups")) {
        // hidden 160, expert width 136, 8 experts in two layers
        if (group.at("name") != "routed experts") continue;
        const auto experts = card.at("routing").at("experts").get<std::int64_t>();
        EXPECT_EQ(group.at("total"), 2 * experts * 3 * 136 * 160);
    }
}

TEST(Generate, JsonHasWhatScriptsRead) {
    const Json answer = jsonOf(runCli({"generate", demo, "--prompt", "What is 347 + 285?",
                                       "--max-tokens", "8", "--speculate", "mtp", "--json"}));
    for (const char* key : {"prompt_ids", "ids", "text", "finish", "speculation", "timing", "model",
                            "device", "precision", "cache", "sampling", "fingerprint"}) {
        EXPECT_TRUE(answer.contains(key)) << key;
    }
    EXPECT_EQ(answer.at("ids").size(), 8);
    EXPECT_EQ(answer.at("finish"), "length");
    EXPECT_EQ(answer.at("precision"), "exact");
    EXPECT_EQ(answer.at("prompt_ids").at(0), 0);  // BOS
    EXPECT_EQ(answer.at("speculation").at("mode"), "mtp");
    EXPECT_EQ(answer.at("speculation").at("drafts").size(), answer.at("speculation").at("drafted"));
    EXPECT_EQ(answer.at("timing").at("prefill_tokens"), answer.at("prompt_ids").size());
    EXPECT_GT(answer.at("cache").at("used_bytes"), 0);
}

TEST(Generate, DraftsAndSettingsThatShouldNotChangeTheTextDoNot) {
    const std::vector<std::string> base = {
        "generate",     demo, "--prompt", "Tell me a story about a fox named Mia.",
        "--max-tokens", "40", "--json"};
    const auto with = [&base](std::vector<std::string> more) {
        std::vector<std::string> all = base;
        all.insert(all.end(), more.begin(), more.end());
        return jsonOf(runCli(all)).at("ids");
    };
    const Json ids = with({});
    EXPECT_EQ(with({"--speculate", "off"}), ids);
    EXPECT_EQ(with({"--speculate", "mtp"}), ids);
    EXPECT_EQ(with({"--speculate", "mtp", "--drafts", "3", "--mtp-recycle", "raw"}), ids);
    EXPECT_EQ(with({"--speculate", "lookup", "--drafts", "8"}), ids);
    EXPECT_EQ(with({"--threads", "1"}), ids);
    EXPECT_EQ(with({"--threads", "7"}), ids);
    const Json sampled = with({"--temperature", "1.5", "--seed", "7", "--speculate", "mtp"});
    EXPECT_EQ(with({"--temperature", "1.5", "--seed", "7"}), sampled);
    EXPECT_EQ(with({"--temperature", "1.5", "--seed", "7", "--speculate", "off"}), sampled);
    EXPECT_NE(with({"--temperature", "1.5", "--seed", "8"}), sampled);
}

TEST(Generate, TokensNeedNoTokenizer) {
    const Json file = Json::parse(std::ifstream(golden("golden/v2-lite/golden.json")));
    const Json prompt = file.at("prompts").at("p7");
    std::string ids;
    for (const Json& id : prompt.at("tokens")) {
        if (!ids.empty()) ids += ',';
        ids += id.dump();
    }
    const std::vector<std::string> command = {"generate", golden("ckpt/v2-lite"), "--tokens",
                                              ids,        "--max-tokens",         "24"};
    std::vector<std::string> json = command;
    json.emplace_back("--json");
    const Json answer = jsonOf(runCli(json));
    EXPECT_EQ(answer.at("ids"), prompt.at("greedy"));
    EXPECT_EQ(answer.at("speculation").at("mode"), "auto");
    EXPECT_THAT(runCli(command).out, HasSubstr(prompt.at("greedy").at(0).dump() + " "));
}

TEST(Generate, StreamsTheSameTextAndKeepsItInASession) {
    const TemporaryFolder folder;
    const std::string file = folder / "sessions.db";
    const std::vector<std::string> base = {"generate", demo, "--prompt", "What is 12 + 30?"};
    const Outcome streamed = runCli(base);
    EXPECT_EQ(streamed.exitCode, 0);
    EXPECT_THAT(streamed.out, HasSubstr("42"));
    EXPECT_THAT(streamed.err, HasSubstr("tokens/s"));
    std::vector<std::string> logged = base;
    logged.insert(logged.end(), {"--session", file, "--json", "--quiet"});
    const Outcome run = runCli(logged);
    EXPECT_THAT(run.err, IsEmpty());
    const Json answer = jsonOf(run);
    EXPECT_EQ(answer.at("text").get<std::string>() + "\n", streamed.out);
    const SessionStore store(file);
    const StoredSession session = store.load(answer.at("session").at("number"));
    ASSERT_EQ(session.turns.size(), 2);
    EXPECT_EQ(session.turns[0].text, "What is 12 + 30?");
    EXPECT_EQ(session.turns[1].text, answer.at("text"));
    EXPECT_EQ(session.turns[1].tokens.size(), answer.at("ids").size());
}

TEST(Generate, PromptFromFileStopStringAndRaw) {
    const Outcome all =
        runCli({"generate", demo, "--prompt-file", "-", "--quiet"}, "What is 12 + 30?");
    const Outcome cut =
        runCli({"generate", demo, "--prompt-file", "-", "--stop", "42", "--stop", "zzz", "--quiet"},
               "What is 12 + 30?");
    EXPECT_THAT(all.out, HasSubstr("42"));
    EXPECT_EQ(cut.out, all.out.substr(0, all.out.find("42")) + "\n");
    const Json raw = jsonOf(runCli({"generate", demo, "--raw", "--prompt", "Once", "--json"}));
    const Json chat = jsonOf(runCli({"generate", demo, "--prompt", "Once", "--json"}));
    EXPECT_EQ(raw.at("prompt_ids").size() + 2, chat.at("prompt_ids").size());
}

TEST(Tokenize, RoundTrip) {
    const std::string text = "The router, 专家 und \xF0\x9F\x98\x80\n\tint main() { return 0; }";
    const Outcome ids = runCli({"tokenize", demo}, text);
    EXPECT_EQ(ids.exitCode, 0);
    EXPECT_EQ(std::count(ids.out.begin(), ids.out.end(), '\n'), 1);
    EXPECT_EQ(runCli({"tokenize", demo, "--decode"}, ids.out).out, text);
    EXPECT_EQ(runCli({"tokenize", demo}, "").out, "\n");
    EXPECT_EQ(runCli({"tokenize", demo, "--decode"}, "1 2 x").exitCode, 1);
    EXPECT_EQ(runCli({"tokenize", demo, "--decode"}, "-1").exitCode, 1);
}

TEST(Tokenize, MarkersInTextAreIdsUnlessPlain) {
    const std::string marker = "<\xEF\xBD\x9CUser\xEF\xBD\x9C>";
    const std::string ids = runCli({"tokenize", demo}, marker).out;
    EXPECT_EQ(ids.find(' '), std::string::npos) << ids;
    EXPECT_NE(runCli({"tokenize", demo, "--plain"}, marker).out, ids);
}

TEST(Chat, AnswersLinesAndCommandsFromAPipe) {
    const TemporaryFolder folder;
    const std::string file = folder / "sessions.db";
    const Outcome run = runCli({"chat", demo, "--session", file},
                               "What is 12 + 30?\n\n/routing\n/regen\n/nonsense\n/new\n"
                               "/regen\nWhat is 12 + 31?\n/quit\nnever read\n");
    EXPECT_EQ(run.exitCode, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("42"));
    EXPECT_THAT(run.out, HasSubstr("43"));
    EXPECT_THAT(run.out, HasSubstr("MaxVio"));
    EXPECT_THAT(run.out, HasSubstr("MTP"));
    EXPECT_EQ(run.out.find('\x1b'), std::string::npos) << "no colours in a pipe";
    EXPECT_THAT(run.err, HasSubstr("tok/s"));
    EXPECT_THAT(run.err, HasSubstr("busiest"));
    EXPECT_THAT(run.err, HasSubstr("/nonsense"));
    EXPECT_THAT(run.err, HasSubstr("no answer to make again"));
    const SessionStore store(file);
    const auto sessions = store.list();
    ASSERT_EQ(sessions.size(), 2);
    const StoredSession first = store.load(sessions[1].id);
    ASSERT_EQ(first.turns.size(), 3);  // question, answer taken back, answer again
    EXPECT_TRUE(first.turns[1].replaced);
    EXPECT_FALSE(first.turns[2].replaced);
}

TEST(Chat, DropsTheOldestTurnsOfALongConversationAndSaysSo) {
    const TemporaryFolder folder;
    std::string input;
    for (int i = 0; i < 12; ++i) input += "Tell me a story about a fox named Mia.\n";
    const Outcome run = runCli({"chat", demo, "--session", folder / "sessions.db"}, input);
    EXPECT_EQ(run.exitCode, 0);
    EXPECT_THAT(run.err, HasSubstr("oldest messages are left out"));
}

std::vector<float> floatsOf(const TensorView& tensor) {
    std::vector<float> values(tensor.bytes.size() / sizeof(float));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
}

/// Every golden array of these kinds is in the dump with the same type and shape, and close.
void compareDump(const SafetensorsFile& expected, const SafetensorsFile& dumped) {
    int compared = 0;
    for (const TensorView& tensor : expected.tensors()) {
        const std::string& name = tensor.name;
        if (name.starts_with("moe.") || name.find(".alt.") != std::string::npos ||
            name.ends_with(".tokens") || name.ends_with(".nll") ||
            name.ends_with(".greedy_logits")) {
            continue;
        }
        const TensorView* ours = dumped.find(name);
        ASSERT_NE(ours, nullptr) << name;
        EXPECT_EQ(ours->dtype, tensor.dtype) << name;
        ASSERT_EQ(ours->shape, tensor.shape) << name;
        ++compared;
        if (tensor.dtype == "I32") {
            EXPECT_TRUE(std::ranges::equal(ours->bytes, tensor.bytes)) << name;
            continue;
        }
        const std::vector<float> a = floatsOf(*ours);
        const std::vector<float> b = floatsOf(tensor);
        for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4) << name;
    }
    EXPECT_GT(compared, 40);
}

TEST(Dump, HasTheGoldenKeysShapesAndValues) {
    const TemporaryFolder folder;
    const Json facts = Json::parse(std::ifstream(golden("golden/v3-mini/golden.json")));
    Json prompts;
    for (const auto& [name, prompt] : facts.at("prompts").items()) {
        prompts[name] = prompt.at("tokens");
    }
    std::ofstream(folder / "prompts.json") << prompts;
    const SafetensorsFile expected(golden("golden/v3-mini/golden.safetensors"));
    for (const char* attention : {"expanded", "absorbed"}) {
        const std::string out = folder / (std::string(attention) + ".safetensors");
        const Outcome run =
            runCli({"dump", golden("ckpt/v3-mini"), "--prompts", folder / "prompts.json", "--out",
                    out, "--greedy", "24", "--attention", attention});
        ASSERT_EQ(run.exitCode, 0) << run.err;
        const SafetensorsFile dumped(out);
        compareDump(expected, dumped);
        for (const auto& [name, prompt] : facts.at("prompts").items()) {
            const TensorView* greedy = dumped.find(name + ".greedy");
            ASSERT_NE(greedy, nullptr);
            EXPECT_EQ(greedy->dtype, "I32");
            std::vector<std::int32_t> ids(greedy->bytes.size() / 4);
            std::memcpy(ids.data(), greedy->bytes.data(), greedy->bytes.size());
            EXPECT_EQ(Json(ids), prompt.at("greedy"));
        }
    }
}

TEST(Dump, LeavesNoFileBehindWhenItFails) {
    const TemporaryFolder folder;
    std::ofstream(folder / "prompts.json") << R"({"a": [1, 2, 999999]})";
    const std::string out = folder / "out.safetensors";
    const Outcome run = runCli(
        {"dump", golden("ckpt/v3-mini"), "--prompts", folder / "prompts.json", "--out", out});
    EXPECT_EQ(run.exitCode, 1);
    EXPECT_THAT(run.err, HasSubstr("prompts.json"));
    EXPECT_FALSE(std::filesystem::exists(out));
}

// The result is renamed over --out: that must never hit an input, a device or a link's name.
TEST(Dump, NeverReplacesAnInputADeviceOrALink) {
    const TemporaryFolder folder;
    const std::string prompts = folder / "prompts.json";
    std::ofstream(prompts) << R"({"a": [1, 2]})";
    const auto dumpTo = [&](const std::string& out) {
        return runCli({"dump", golden("ckpt/v3-mini"), "--prompts", prompts, "--out", out});
    };
    EXPECT_THAT(dumpTo(prompts).err, HasSubstr("is read by this command"));
    EXPECT_THAT(dumpTo(golden("ckpt/v3-mini/model.safetensors")).err,
                HasSubstr("is read by this command"));
    const std::filesystem::path pipe = folder / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_THAT(dumpTo(pipe).err, HasSubstr("not a regular file"));
    EXPECT_TRUE(std::filesystem::is_fifo(pipe));

    std::ofstream(folder / "target.safetensors") << "old";
    std::filesystem::create_symlink(folder / "target.safetensors", folder / "link.safetensors");
    EXPECT_EQ(dumpTo(folder / "link.safetensors").exitCode, 0);
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.safetensors"));
    EXPECT_NE(SafetensorsFile(folder / "target.safetensors").find("a.logits"), nullptr);
}

TEST(Verify, EveryGoldenCheckPasses) {
    const Json result = jsonOf(runCli({"verify", golden(""), "--json"}));
    EXPECT_EQ(result.at("failed"), 0);
    EXPECT_GT(result.at("passed"), 150);
    for (const Json& check : result.at("checks")) {
        EXPECT_TRUE(check.at("passed").get<bool>()) << check;
    }
}

TEST(Bench, MeasuresRecorderOnAndOff) {
    const Json result = jsonOf(runCli({"bench", demo, "--prompt-tokens", "8", "--gen-tokens", "4",
                                       "--depth", "5", "--repetitions", "2", "--json"}));
    for (const char* setting : {"recorder_off", "recorder_on"}) {
        EXPECT_GT(result.at(setting).at("prefill_tokens_per_second"), 0);
        EXPECT_GT(result.at(setting).at("decode_tokens_per_second"), 0);
        EXPECT_EQ(result.at(setting).at("decode_runs").size(), 2);
    }
    EXPECT_EQ(runCli({"bench", demo, "--prompt-tokens", "600"}).exitCode, 1);
}

TEST(Bench, ShapesHaveRandomWeights) {
    const Json result =
        jsonOf(runCli({"bench", "--shape", "v2-lite", "--layers", "1", "--prompt-tokens", "2",
                       "--gen-tokens", "1", "--repetitions", "1", "--json"}));
    EXPECT_EQ(result.at("model"), "v2-lite");
    EXPECT_EQ(result.at("layers"), 1);
    EXPECT_GT(result.at("weight_bytes"), 800000000);  // embedding and head of 102400 x 2048 in BF16
}

}  // namespace
}  // namespace gatescope::cli
