// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

using nlohmann::json;
using test::errorOf;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

/// A valid V3 configuration: 2 layers, 4 experts in 2 groups of which 1 is kept, top-2.
json base() {
    return test::fileJson(test::badDir() / "ok-nano" / "config.json");
}

/// base() with fields replaced; {"x", nullptr} makes x null.
json with(const json& changes) {
    json config = base();
    config.update(changes);
    return config;
}

json without(const std::vector<std::string>& fields, json config = base()) {
    for (const std::string& field : fields) config.erase(field);
    return config;
}

ModelConfig parse(const json& config) {
    return parseModelConfig(config.dump());
}
std::string refusal(const json& config) {
    return errorOf([&] { parse(config); });
}

const json yarn = {{"type", "yarn"}, {"factor", 40}, {"original_max_position_embeddings", 64}};

json yarnWith(const json& changes = json::object()) {
    json scaling = yarn;
    scaling.update(changes);
    return with({{"rope_scaling", scaling}});
}

TEST(ModelConfig, readsAPublishedV3Configuration) {
    const ModelConfig config = loadModelConfig(test::goldenDir() / "ckpt" / "v3-fp8");
    EXPECT_EQ(config.modelType, ModelType::DeepseekV3);
    EXPECT_EQ(name(config.modelType), "deepseek_v3");
    EXPECT_EQ(config.vocabSize, 256);
    EXPECT_EQ(config.hiddenSize, 160);
    EXPECT_EQ(config.intermediateSize, 320);
    EXPECT_EQ(config.moeIntermediateSize, 136);
    EXPECT_EQ(config.numHiddenLayers, 3);
    EXPECT_EQ(config.firstKDenseReplace, 1);
    EXPECT_EQ(config.numAttentionHeads, 4);
    EXPECT_EQ(config.qLoraRank, 48);
    EXPECT_EQ(config.kvLoraRank, 64);
    EXPECT_EQ(config.qkHeadDim(), 48);
    EXPECT_EQ(config.latentWidth(), 80);
    EXPECT_EQ(config.vHeadDim, 40);
    EXPECT_EQ(config.nRoutedExperts, 8);
    EXPECT_EQ(config.nSharedExperts, 1);
    EXPECT_EQ(config.numExpertsPerTok, 3);
    EXPECT_EQ(config.nGroup, 4);
    EXPECT_EQ(config.topkGroup, 2);
    EXPECT_EQ(config.topkMethod, TopkMethod::NoauxTc);
    EXPECT_EQ(config.scoringFunc, ScoringFunc::Sigmoid);
    EXPECT_TRUE(config.normTopkProb);
    EXPECT_EQ(config.routedScalingFactor, 2.5);
    EXPECT_TRUE(config.hasMtp());
    EXPECT_EQ(config.mtpLayer(), 3);
    EXPECT_EQ(config.rmsNormEps, 1e-6);
    ASSERT_TRUE(config.yarn);
    EXPECT_EQ(config.yarn->factor, 40);
    EXPECT_EQ(config.yarn->mscaleAllDim, 1);
    EXPECT_EQ(config.yarn->originalMaxPositionEmbeddings, 64);
    EXPECT_EQ(config.maxPositionEmbeddings, 2560);
    EXPECT_TRUE(config.fp8);
    EXPECT_EQ(config.fp8BlockRows, 128);
    EXPECT_THAT(config.eosTokenIds, ElementsAre(1));
    EXPECT_EQ(config.bosTokenId, 0);
    EXPECT_THAT(config.moeLayers(), ElementsAre(1, 2));
    EXPECT_FALSE(config.isMoeLayer(0));
    EXPECT_TRUE(config.isMoeLayer(3));
}

TEST(ModelConfig, readsAV2Configuration) {
    const ModelConfig config = loadModelConfig(test::goldenDir() / "ckpt" / "v2-lite");
    EXPECT_EQ(config.modelType, ModelType::DeepseekV2);
    EXPECT_EQ(config.qLoraRank, 0);
    EXPECT_EQ(config.topkMethod, TopkMethod::Greedy);
    EXPECT_EQ(config.scoringFunc, ScoringFunc::Softmax);
    EXPECT_FALSE(config.normTopkProb);
    EXPECT_EQ(config.yarn->mscale, 0.707);
    EXPECT_FALSE(config.hasMtp());
    EXPECT_FALSE(config.fp8);
}

TEST(ModelConfig, takesTheModelTypesItKnows) {
    EXPECT_EQ(parse(with({{"model_type", "kimi_k2"}})).modelType, ModelType::KimiK2);
    EXPECT_EQ(refusal(with({{"model_type", "deepseek_v32"}})),
              "config.json: model_type: \"deepseek_v32\" is not supported "
              "(deepseek_v3, deepseek_v2, kimi_k2)");
    EXPECT_EQ(refusal(without({"model_type"})), "config.json: model_type: missing");
}

TEST(ModelConfig, requiresEverySizeWithinBounds) {
    for (const char* field : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                              "num_attention_heads", "kv_lora_rank", "qk_nope_head_dim",
                              "qk_rope_head_dim", "v_head_dim", "max_position_embeddings",
                              "moe_intermediate_size", "num_experts_per_tok"}) {
        const std::string start = std::string("config.json: ") + field + ": ";
        EXPECT_EQ(refusal(without({field})), start + "missing");
        EXPECT_EQ(refusal(with({{field, nullptr}})), start + "missing");
        EXPECT_THAT(refusal(with({{field, 0}})), StartsWith(start + "must be from 1"));
        EXPECT_THAT(refusal(with({{field, -2}})), StartsWith(start + "must be from 1"));
        EXPECT_THAT(refusal(with({{field, std::int64_t{1} << 62}})), StartsWith(start + "must be"));
        EXPECT_THAT(refusal(with({{field, 2.5}})), StartsWith(start + "expected a whole number"));
        EXPECT_THAT(refusal(with({{field, "16"}})), StartsWith(start + "expected a whole number"));
        EXPECT_THAT(refusal(with({{field, true}})), StartsWith(start + "expected a whole number"));
    }
    EXPECT_EQ(parse(with({{"hidden_size", 16.0}})).hiddenSize, 16);
}

TEST(ModelConfig, noQueryCompressionIsNullOrAbsent) {
    EXPECT_EQ(parse(with({{"q_lora_rank", nullptr}})).qLoraRank, 0);
    EXPECT_EQ(parse(without({"q_lora_rank"})).qLoraRank, 0);
    EXPECT_THAT(refusal(with({{"q_lora_rank", -1}})), HasSubstr("q_lora_rank"));
}

TEST(ModelConfig, ropeScalingHasTwoSpellingsOfItsType) {
    EXPECT_EQ(parse(yarnWith()).yarn->factor, 40);
    json newer = yarn;
    newer.erase("type");
    newer["rope_type"] = "yarn";
    EXPECT_EQ(parse(with({{"rope_scaling", newer}})).yarn->factor, 40);
    EXPECT_FALSE(parse(with({{"rope_scaling", nullptr}})).yarn);
    EXPECT_FALSE(parse(with({{"rope_scaling", {{"rope_type", "default"}}}})).yarn);
    EXPECT_FALSE(parse(with({{"rope_scaling", {{"type", "none"}}}})).yarn);
    EXPECT_FALSE(parse(with({{"rope_scaling", {{"type", nullptr}}}})).yarn);
    EXPECT_THAT(refusal(with({{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}})),
                StartsWith("config.json: rope_scaling.type: \"linear\" is not supported"));
    EXPECT_THAT(refusal(with({{"rope_scaling", {{"factor", 2}}}})), HasSubstr("no type"));
    EXPECT_THAT(refusal(with({{"rope_scaling", 4}})),
                StartsWith("config.json: rope_scaling: expected an object"));
}

TEST(ModelConfig, ropeParametersIsTheNewerNameForThemAll) {
    json parameters = yarn;
    parameters.erase("type");
    parameters["rope_type"] = "yarn";
    parameters["rope_theta"] = 50000.0;
    json config = without({"rope_scaling", "rope_theta"});
    config["rope_parameters"] = parameters;
    EXPECT_EQ(parse(config).ropeTheta, 50000);
    EXPECT_EQ(parse(config).yarn->factor, 40);
    config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 20000}};
    EXPECT_EQ(parse(config).ropeTheta, 20000);
    EXPECT_FALSE(parse(config).yarn);
    config["rope_parameters"] = {{"rope_type", "longrope"}};
    EXPECT_THAT(refusal(config), HasSubstr("rope_parameters.rope_type: \"longrope\""));
}

TEST(ModelConfig, yarnFieldsHaveDefaultsAndBounds) {
    const YarnScaling scaling = *parse(yarnWith()).yarn;
    EXPECT_EQ(scaling.betaFast, 32);
    EXPECT_EQ(scaling.betaSlow, 1);
    EXPECT_EQ(scaling.mscale, 1);
    EXPECT_EQ(scaling.mscaleAllDim, 0);
    EXPECT_EQ(scaling.originalMaxPositionEmbeddings, 64);
    for (const char* field : {"factor", "beta_fast", "beta_slow"}) {
        EXPECT_THAT(refusal(yarnWith({{field, 0}})),
                    StartsWith(std::string("config.json: rope_scaling.") + field + ": must be"));
    }
    EXPECT_THAT(refusal(yarnWith({{"mscale", "1"}})), HasSubstr("rope_scaling.mscale: expected"));
    EXPECT_THAT(refusal(yarnWith({{"beta_slow", 33}})), HasSubstr("beta_slow 33"));
    EXPECT_THAT(refusal(yarnWith({{"factor", nullptr}})),
                HasSubstr("rope_scaling.factor: missing"));
    EXPECT_THAT(refusal(yarnWith({{"original_max_position_embeddings", 0}})),
                HasSubstr("original_max_position_embeddings"));
}

TEST(ModelConfig, refusesWhatItWouldComputeWrongly) {
    EXPECT_EQ(refusal(with({{"attention_bias", true}})),
              "config.json: attention_bias: true is not supported");
    EXPECT_THAT(refusal(with({{"rope_interleave", false}})), HasSubstr("rope_interleave"));
    EXPECT_THAT(refusal(yarnWith({{"attention_factor", 1.2}})), HasSubstr("attention_factor"));
    EXPECT_THAT(refusal(yarnWith({{"truncate", false}})), HasSubstr("truncate"));
    EXPECT_THAT(refusal(with({{"hidden_act", "relu"}})), HasSubstr("hidden_act: \"relu\""));
    EXPECT_NO_THROW(parse(without({"hidden_act", "attention_bias"})));
}

TEST(ModelConfig, publishedDefaultsOfTheRouterDependOnTheModelType) {
    json config = without({"topk_method", "scoring_func", "norm_topk_prob", "routed_scaling_factor",
                           "n_group", "topk_group", "n_shared_experts", "moe_layer_freq",
                           "first_k_dense_replace"});
    config["n_routed_experts"] = 64;
    const ModelConfig v3 = parse(config);
    EXPECT_EQ(v3.topkMethod, TopkMethod::NoauxTc);
    EXPECT_EQ(v3.scoringFunc, ScoringFunc::Sigmoid);
    EXPECT_TRUE(v3.normTopkProb);
    EXPECT_EQ(v3.routedScalingFactor, 2.5);
    EXPECT_EQ(v3.nGroup, 8);
    EXPECT_EQ(v3.topkGroup, 4);
    EXPECT_EQ(v3.nSharedExperts, 1);
    EXPECT_EQ(v3.firstKDenseReplace, 3);

    config["model_type"] = "deepseek_v2";
    EXPECT_THAT(refusal(config), HasSubstr("n_shared_experts: missing"));
    config["n_shared_experts"] = nullptr;
    const ModelConfig v2 = parse(config);
    EXPECT_EQ(v2.topkMethod, TopkMethod::Greedy);
    EXPECT_EQ(v2.scoringFunc, ScoringFunc::Softmax);
    EXPECT_FALSE(v2.normTopkProb);
    EXPECT_EQ(v2.routedScalingFactor, 1);
    EXPECT_EQ(v2.nGroup, 1);
    EXPECT_EQ(v2.nSharedExperts, 0);
    EXPECT_EQ(v2.firstKDenseReplace, 0);
}

TEST(ModelConfig, groupsAndTopKMustFit) {
    EXPECT_THAT(refusal(with({{"n_group", 3}})),
                AllOf(HasSubstr("n_group"), HasSubstr("n_routed_experts 4")));
    EXPECT_THAT(refusal(with({{"topk_group", 3}})), HasSubstr("topk_group: 3 groups"));
    EXPECT_THAT(refusal(with({{"num_experts_per_tok", 3}})),
                AllOf(HasSubstr("num_experts_per_tok: 3"), HasSubstr("topk_group 1")));
    EXPECT_THAT(refusal(with({{"n_group", 4}, {"topk_group", 2}})), HasSubstr("two best"));
    EXPECT_THAT(
        refusal(with({{"n_routed_experts", 128}, {"n_group", 1}, {"num_experts_per_tok", 33}})),
        HasSubstr("num_experts_per_tok: must be at most 32"));
    EXPECT_EQ(parse(with({{"n_routed_experts", 128}, {"n_group", 1}, {"num_experts_per_tok", 32}}))
                  .numExpertsPerTok,
              32);
    const ModelConfig greedy = parse(with({{"topk_method", "greedy"}, {"num_experts_per_tok", 3}}));
    EXPECT_EQ(greedy.nGroup, 1) << "greedy knows no groups";
    EXPECT_EQ(parse(with({{"n_group", nullptr}, {"topk_group", nullptr}})).nGroup, 1);
}

TEST(ModelConfig, expertsMayBeAbsentOrUnderTheirNewerName) {
    EXPECT_THAT(refusal(without({"n_routed_experts"})), HasSubstr("n_routed_experts: missing"));
    json renamed = without({"n_routed_experts"});
    renamed["num_local_experts"] = 4;
    EXPECT_EQ(parse(renamed).nRoutedExperts, 4);
    const ModelConfig dense = parse(without({"n_routed_experts", "num_experts_per_tok"}));
    EXPECT_EQ(dense.nRoutedExperts, 0);
    EXPECT_TRUE(dense.moeLayers().empty());
    EXPECT_FALSE(dense.isMoeLayer(1));
}

TEST(ModelConfig, moeLayersFollowFrequency) {
    const ModelConfig config = parse(with({{"num_hidden_layers", 8},
                                           {"first_k_dense_replace", 3},
                                           {"moe_layer_freq", 2},
                                           {"num_nextn_predict_layers", 1}}));
    EXPECT_THAT(config.moeLayers(), ElementsAre(4, 6));
    EXPECT_TRUE(config.isMoeLayer(config.mtpLayer()));
}

TEST(ModelConfig, quantizationIsFp8WithBlocksOnly) {
    const auto quantized = [](json changes) {
        json config = {{"quant_method", "fp8"}, {"weight_block_size", {128, 64}}};
        config.update(changes);
        return with({{"quantization_config", config}});
    };
    const ModelConfig config = parse(quantized({{"fmt", "e4m3"}, {"scale_fmt", "ue8m0"}}));
    EXPECT_EQ(config.fp8BlockRows, 128);
    EXPECT_EQ(config.fp8BlockCols, 64);
    EXPECT_FALSE(parse(with({{"quantization_config", nullptr}})).fp8);
    EXPECT_THAT(refusal(quantized({{"quant_method", "awq"}})),
                StartsWith("config.json: quantization_config.quant_method: \"awq\""));
    EXPECT_THAT(refusal(quantized({{"fmt", "e5m2"}})), HasSubstr("e5m2"));
    EXPECT_THAT(refusal(quantized({{"weight_block_size", nullptr}})),
                HasSubstr("weight_block_size: missing"));
    EXPECT_THAT(refusal(quantized({{"weight_block_size", {128}}})), HasSubstr("[rows, columns]"));
    EXPECT_THAT(refusal(quantized({{"weight_block_size", {128, -1}}})),
                HasSubstr("weight_block_size[1]: must be from 1"));
}

TEST(ModelConfig, endTokensOfBothFilesAreMerged) {
    const std::string config = with({{"eos_token_id", {3, 1}}}).dump();
    EXPECT_THAT(parseModelConfig(config).eosTokenIds, ElementsAre(3, 1));
    EXPECT_THAT(parseModelConfig(config, R"({"eos_token_id": 7})").eosTokenIds,
                ElementsAre(3, 1, 7));
    EXPECT_THAT(parseModelConfig(config, R"({"eos_token_id": [1, 9]})").eosTokenIds,
                ElementsAre(3, 1, 9));
    EXPECT_THAT(parse(with({{"eos_token_id", nullptr}})).eosTokenIds, ElementsAre());
    EXPECT_FALSE(parse(with({{"bos_token_id", nullptr}})).bosTokenId);
    EXPECT_THAT(refusal(with({{"eos_token_id", 40}})), HasSubstr("eos_token_id: must be from 0"));
    EXPECT_THAT(refusal(with({{"eos_token_id", {1, -1}}})), HasSubstr("eos_token_id[1]"));
    EXPECT_THAT(refusal(with({{"bos_token_id", "a"}})), HasSubstr("bos_token_id: expected"));
    EXPECT_THAT(errorOf([&] { parseModelConfig(config, R"({"eos_token_id": 99})"); }),
                StartsWith("generation_config.json: eos_token_id"));
    EXPECT_THAT(errorOf([&] { parseModelConfig(config, "{"); }),
                StartsWith("generation_config.json: not valid JSON"));
}

TEST(ModelConfig, refusesADocumentThatIsNoObject) {
    for (const char* text : {"[]", "3", "null", "\"x\""}) {
        EXPECT_THAT(errorOf([&] { parseModelConfig(text); }),
                    StartsWith("config.json: expected an object"));
    }
}

TEST(ModelConfig, everyProductOfTheLargestSizesFitsIn64Bits) {
    using Limits = ConfigLimits;
    const double limit = std::ldexp(1.0, 60);
    const double bytes = 8;  // double does not overflow where 64 bits would
    EXPECT_LT(bytes * Limits::vocabSize * Limits::hiddenSize, limit);
    EXPECT_LT(bytes * Limits::heads * 2 * Limits::headDim * Limits::loraRank, limit);
    EXPECT_LT(bytes * Limits::heads * 2 * Limits::headDim * Limits::hiddenSize, limit);
    EXPECT_LT(bytes * 256 * Limits::intermediateSize * Limits::hiddenSize, limit);
    EXPECT_LT(bytes * Limits::positions * (Limits::loraRank + Limits::headDim) *
                  (Limits::layers + Limits::mtpModules),
              limit);
    EXPECT_LT(bytes * Limits::positions * Limits::vocabSize, limit);
}

TEST(ModelConfig, refusesAHugeFile) {
    const test::TestFolder folder;
    test::writeFile(folder / "config.json", std::string(ConfigLimits::fileBytes + 1, ' '));
    EXPECT_THAT(errorOf([&] { loadModelConfig(folder.path()); }), HasSubstr("is longer than"));
    test::writeFile(folder / "config.json", base().dump());
    test::writeFile(folder / "generation_config.json", "");
    EXPECT_THAT(errorOf([&] { loadModelConfig(folder.path()); }),
                HasSubstr("generation_config.json: not valid JSON: it is empty"));
}

}  // namespace
}  // namespace gatescope
