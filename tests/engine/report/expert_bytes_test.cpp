// SPDX-License-Identifier: Apache-2.0
#include "engine/report/expert_bytes.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope::test {
namespace {

using Json = nlohmann::json;

Json demoConfig() {
    return Json::parse(fileText(std::filesystem::path(GATESCOPE_DEMO_MODEL_DIR) / "config.json"));
}

TEST(ExpertBytes, FollowTheWeightsType) {
    Json config = demoConfig();
    EXPECT_EQ(expertWeightBytes(config.dump()), 3 * 256 * 64 * 2);
    config["torch_dtype"] = "float32";
    EXPECT_EQ(expertWeightBytes(config.dump()), 3 * 256 * 64 * 4);
}

/// DeepSeek-V3: 256 * 58 experts are 653.9 of its 671 billion weights.
TEST(ExpertBytes, CountTheScalesOfBlocks) {
    Json config = demoConfig();
    config["hidden_size"] = 7168;
    config["moe_intermediate_size"] = 2048;
    config["quantization_config"] = {
        {"quant_method", "fp8"}, {"fmt", "e4m3"}, {"weight_block_size", {128, 128}}};
    EXPECT_EQ(expertWeightBytes(config.dump()), 3 * (7168 * 2048 + 4 * 56 * 16));
    config["moe_intermediate_size"] = 2049;  // one block more, with one row in it
    EXPECT_EQ(expertWeightBytes(config.dump()), 3 * (7168 * 2049 + 4 * 56 * 17));
}

TEST(ExpertBytes, AreNotGuessed) {
    Json config = demoConfig();
    config["torch_dtype"] = "int3";
    EXPECT_EQ(expertWeightBytes(config.dump()), 0);
    config.erase("torch_dtype");
    EXPECT_EQ(expertWeightBytes(config.dump()), 0);
    EXPECT_EQ(expertWeightBytes(""), 0);
    EXPECT_EQ(expertWeightBytes("{\"hidden_size\": -1}"), 0);
}

}  // namespace
}  // namespace gatescope::test
