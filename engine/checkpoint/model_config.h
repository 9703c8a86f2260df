// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatescope {

enum class ModelType { DeepseekV3, DeepseekV2, KimiK2 };
enum class ScoringFunc { Sigmoid, Softmax };
enum class TopkMethod { NoauxTc, Greedy, GroupLimitedGreedy };

/// YaRN context extension; field names as in config.json's rope_scaling.
struct YarnScaling {
    double factor = 1;
    double betaFast = 32;
    double betaSlow = 1;
    double mscale = 1;
    double mscaleAllDim = 0;
    std::int64_t originalMaxPositionEmbeddings = 4096;
};

/// What config.json says, validated: every size is positive and bounded, groups divide experts,
/// top-k fits the eligible experts. Field names follow config.json.
struct ModelConfig {
    ModelType modelType = ModelType::DeepseekV3;
    std::int64_t vocabSize = 0;
    std::int64_t hiddenSize = 0;
    std::int64_t intermediateSize = 0;     ///< dense MLP width
    std::int64_t moeIntermediateSize = 0;  ///< width of one routed expert
    int numHiddenLayers = 0;               ///< without the MTP layer
    int firstKDenseReplace = 0;
    int moeLayerFreq = 1;
    int numAttentionHeads = 0;
    std::int64_t qLoraRank = 0;  ///< 0: no query compression, q_proj instead of q_a/q_b
    std::int64_t kvLoraRank = 0;
    std::int64_t qkNopeHeadDim = 0;
    std::int64_t qkRopeHeadDim = 0;
    std::int64_t vHeadDim = 0;
    int nRoutedExperts = 0;  ///< 0: a dense model
    int nSharedExperts = 0;
    int numExpertsPerTok = 0;
    int nGroup = 1;  ///< 1 when topk_method is greedy, which knows no groups
    int topkGroup = 1;
    TopkMethod topkMethod = TopkMethod::NoauxTc;
    ScoringFunc scoringFunc = ScoringFunc::Sigmoid;
    bool normTopkProb = true;
    double routedScalingFactor = 1;
    int numNextnPredictLayers = 0;  ///< MTP modules
    double rmsNormEps = 1e-6;
    double ropeTheta = 10000;
    std::optional<YarnScaling> yarn;
    std::int64_t maxPositionEmbeddings = 0;
    bool tieWordEmbeddings = false;
    std::vector<std::int32_t> eosTokenIds;  ///< config.json and generation_config.json together
    std::optional<std::int32_t> bosTokenId;
    bool fp8 = false;  ///< quantization_config: fp8 e4m3 with block scales
    int fp8BlockRows = 128;
    int fp8BlockCols = 128;

    std::int64_t qkHeadDim() const { return qkNopeHeadDim + qkRopeHeadDim; }
    /// Values cached per token and layer: kv_lora_rank + qk_rope_head_dim.
    std::int64_t latentWidth() const { return kvLoraRank + qkRopeHeadDim; }
    bool isMoeLayer(int layer) const;
    bool hasMtp() const { return numNextnPredictLayers > 0; }
    /// Index of the MTP layer in tensor names, caches and traces.
    int mtpLayer() const { return numHiddenLayers; }
    /// Absolute indices of the main model's MoE layers, ascending.
    std::vector<int> moeLayers() const;
};

/// The name config.json uses ("deepseek_v3", ...).
std::string_view name(ModelType type);

/// The bounds on config.json's sizes. No product of them that the engine forms (elements or bytes
/// of a tensor, of a cache) exceeds 2^60, so arithmetic on validated sizes cannot overflow 64 bits.
struct ConfigLimits {
    static constexpr std::int64_t vocabSize = 1 << 24;
    static constexpr std::int64_t hiddenSize = 1 << 17;
    static constexpr std::int64_t intermediateSize = 1 << 20;
    static constexpr std::int64_t layers = 1 << 10;
    static constexpr std::int64_t heads = 1 << 12;
    static constexpr std::int64_t headDim = 1 << 13;
    static constexpr std::int64_t loraRank = 1 << 16;
    static constexpr std::int64_t experts = 1 << 12;
    static constexpr std::int64_t expertsPerTok = 32;
    static constexpr std::int64_t mtpModules = 8;
    static constexpr std::int64_t positions = 1 << 27;
    static constexpr std::int64_t fp8Block = 1 << 16;
    static constexpr std::size_t fileBytes = 4 << 20;  ///< of config.json
};

/// Validates the texts of config.json and, if there is one, generation_config.json.
/// Throws Error naming file, field and cause.
ModelConfig parseModelConfig(std::string_view configJson, std::string_view generationJson = {});

/// The text of DIR/generation_config.json, or nothing if there is none. Throws Error if it cannot
/// be read.
std::string readGenerationConfig(const std::filesystem::path& dir);

/// Reads and validates DIR/config.json (and the end tokens of DIR/generation_config.json).
/// Throws Error naming file, field and cause.
ModelConfig loadModelConfig(const std::filesystem::path& dir);

}  // namespace gatescope
