// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/tensor_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/checkpoint/checkpoint.h"
#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

std::string shapeOf(const TensorSpec& spec) {
    return spec.rank == TensorRank::One ? fmt::format("[{}]", spec.rows)
                                        : fmt::format("[{}, {}]", spec.rows, spec.cols);
}

/// The schema names exactly what the published checkpoints of each kind hold.
TEST(TensorSchema, matchesEveryGoldenCheckpoint) {
    for (const char* name : {"v3-mini", "v3-fp8", "v3-noqlora", "v2-lite"}) {
        const Checkpoint checkpoint(test::goldenDir() / "ckpt" / name);
        std::map<std::string, std::string> expected;
        for (const TensorView* tensor : checkpoint.tensors()) {
            if (tensor->name.ends_with("_scale_inv") || tensor->name.ends_with("inv_freq"))
                continue;
            expected[tensor->name] = fmt::format("[{}]", fmt::join(tensor->shape, ", "));
        }
        std::map<std::string, std::string> found;
        forEachTensor(checkpoint.config(), [&](const TensorSpec& spec) {
            EXPECT_TRUE(found.emplace(spec.name, shapeOf(spec)).second) << spec.name;
            return true;
        });
        EXPECT_EQ(found, expected) << name;
    }
}

/// The largest published shape, where the demo checkpoints cannot mix up two equal sizes.
TEST(TensorSchema, givesThePublishedShapesOfV3) {
    ModelConfig config;
    config.vocabSize = 129280;
    config.hiddenSize = 7168;
    config.intermediateSize = 18432;
    config.moeIntermediateSize = 2048;
    config.numHiddenLayers = 61;
    config.firstKDenseReplace = 3;
    config.numAttentionHeads = 128;
    config.qLoraRank = 1536;
    config.kvLoraRank = 512;
    config.qkNopeHeadDim = 128;
    config.qkRopeHeadDim = 64;
    config.vHeadDim = 128;
    config.nRoutedExperts = 256;
    config.nSharedExperts = 1;
    config.numNextnPredictLayers = 1;
    std::map<std::string, std::string> shapes;
    std::int64_t mainElements = 0;
    int count = 0;
    forEachTensor(config, [&](const TensorSpec& spec) {
        shapes[spec.name] = shapeOf(spec);
        if (!spec.name.starts_with("model.layers.61.")) mainElements += spec.rows * spec.cols;
        ++count;
        return true;
    });
    EXPECT_EQ(shapes.at("model.embed_tokens.weight"), "[129280, 7168]");
    EXPECT_EQ(shapes.at("model.layers.0.self_attn.q_a_proj.weight"), "[1536, 7168]");
    EXPECT_EQ(shapes.at("model.layers.0.self_attn.q_b_proj.weight"), "[24576, 1536]");
    EXPECT_EQ(shapes.at("model.layers.0.self_attn.kv_a_proj_with_mqa.weight"), "[576, 7168]");
    EXPECT_EQ(shapes.at("model.layers.0.self_attn.kv_b_proj.weight"), "[32768, 512]");
    EXPECT_EQ(shapes.at("model.layers.60.self_attn.o_proj.weight"), "[7168, 16384]");
    EXPECT_EQ(shapes.at("model.layers.2.mlp.down_proj.weight"), "[7168, 18432]");
    EXPECT_EQ(shapes.at("model.layers.3.mlp.gate.weight"), "[256, 7168]");
    EXPECT_EQ(shapes.at("model.layers.61.mlp.experts.255.up_proj.weight"), "[2048, 7168]");
    EXPECT_EQ(shapes.at("model.layers.61.eh_proj.weight"), "[7168, 14336]");
    EXPECT_EQ(shapes.at("model.layers.61.shared_head.norm.weight"), "[7168]");
    // 671.03 billion parameters; 91,991 tensors with a scale for every FP8 matrix.
    EXPECT_NEAR(static_cast<double>(mainElements) / 1e9, 671.03, 0.01);
    int quantized = 0;
    for (const auto& [name, shape] : shapes)
        quantized += name.ends_with("_proj.weight") || name.ends_with("mqa.weight");
    quantized -= 1;  // eh_proj stays BF16
    EXPECT_EQ(count + quantized, 91991);
}

TEST(TensorSchema, tiedModelsHaveNoHeadOfTheirOwn) {
    ModelConfig config = loadModelConfig(test::badDir() / "ok-nano");
    config.tieWordEmbeddings = true;
    EXPECT_EQ(headTensor(config).name, "model.embed_tokens.weight");
    forEachTensor(config, [](const TensorSpec& spec) {
        EXPECT_NE(spec.name, "lm_head.weight");
        return true;
    });
}

TEST(TensorSchema, stopsWhenToldAndNeedsNoMemoryForHugeModels) {
    ModelConfig config = loadModelConfig(test::badDir() / "ok-nano");
    config.numHiddenLayers = 1024;
    config.nRoutedExperts = 4096;
    config.vocabSize = std::int64_t{1} << 24;
    int seen = 0;
    EXPECT_FALSE(forEachTensor(config, [&](const TensorSpec&) { return ++seen < 100; }));
    EXPECT_EQ(seen, 100);
}

TEST(TensorSchema, everyVisitorStopIsFinal) {
    ModelConfig config = loadModelConfig(test::goldenDir() / "ckpt" / "v3-mini");
    int total = 0;
    EXPECT_TRUE(forEachTensor(config, [&](const TensorSpec&) { return ++total > 0; }));
    for (int stop = 1; stop <= total; ++stop) {
        int seen = 0;
        EXPECT_FALSE(forEachTensor(config, [&](const TensorSpec&) { return ++seen < stop; }));
        EXPECT_EQ(seen, stop);
    }
}

}  // namespace
}  // namespace gatescope
