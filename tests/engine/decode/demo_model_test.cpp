// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/decode/generator.h"
#include "engine/decode/sampler.h"
#include "engine/model/decoder.h"
#include "engine/model/loaded_model.h"

namespace gatescope {
namespace {

// golden.json of the demo model comes from an independent decoder (its training folder has it).
TEST(DemoModel, TokenizerAndGreedyTextMatchTheIndependentDecoder) {
    const std::filesystem::path dir = GATESCOPE_DEMO_MODEL_DIR;
    const auto model = LoadedModel::load(dir);
    for (const auto& entry : nlohmann::json::parse(std::ifstream(dir / "golden.json"))) {
        const auto text = entry["prompt"].get<std::string>();
        const auto ids = entry["ids"].get<std::vector<std::int32_t>>();
        EXPECT_EQ(model->chatFormat().prompt({{Role::User, text}}), ids) << text;

        model->decoder().truncate(0);
        GenerationSink sink;
        GenerationParams params;
        params.maxNewTokens = static_cast<int>(entry["greedy"].size());
        const auto result = generate(model->decoder(), &model->tokenizer(), ids, params, sink);
        EXPECT_EQ(result.ids, entry["greedy"].get<std::vector<std::int32_t>>()) << text;
    }
}

TEST(DemoModel, TopLogitsMatchTheIndependentDecoder) {
    const std::filesystem::path dir = GATESCOPE_DEMO_MODEL_DIR;
    const auto model = LoadedModel::load(dir);
    for (const auto& entry : nlohmann::json::parse(std::ifstream(dir / "golden.json"))) {
        model->decoder().truncate(0);
        model->decoder().forward(entry["ids"].get<std::vector<std::int32_t>>(), {});
        for (const auto& top : entry["top"])
            EXPECT_NEAR(model->decoder().logits(0)[top[0].get<std::size_t>()], top[1].get<float>(),
                        2e-4);  // the file keeps four decimals
    }
}

}  // namespace
}  // namespace gatescope
