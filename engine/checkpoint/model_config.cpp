// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/model_config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/printable.h"

namespace gatescope {
namespace {

using Limits = ConfigLimits;

constexpr std::array modelTypes = {std::pair{"deepseek_v3", ModelType::DeepseekV3},
                                   std::pair{"deepseek_v2", ModelType::DeepseekV2},
                                   std::pair{"kimi_k2", ModelType::KimiK2}};
constexpr std::array scoringFuncs = {std::pair{"sigmoid", ScoringFunc::Sigmoid},
                                     std::pair{"softmax", ScoringFunc::Softmax}};
constexpr std::array topkMethods = {
    std::pair{"noaux_tc", TopkMethod::NoauxTc}, std::pair{"greedy", TopkMethod::Greedy},
    std::pair{"group_limited_greedy", TopkMethod::GroupLimitedGreedy}};

/// The entry of a {name, value} table that a string field names; anything else is refused by name.
template <typename Table>
auto choose(const JsonValue& field, const Table& table) {
    for (const auto& [name, value] : table) {
        if (field.string() == name) return value;
    }
    std::string known;
    for (const auto& entry : table) known += (known.empty() ? "" : ", ") + std::string(entry.first);
    throw field.error(
        fmt::format("\"{}\" is not supported ({})", printable(field.string(), 60), known));
}

std::int64_t integerOr(const JsonValue& object, std::string_view key, std::int64_t fallback,
                       std::int64_t least, std::int64_t most) {
    const auto field = object.find(key);
    return field ? field->integer(least, most) : fallback;
}

int smallOr(const JsonValue& object, std::string_view key, int fallback, int least, int most) {
    return static_cast<int>(integerOr(object, key, fallback, least, most));
}

bool booleanOr(const JsonValue& object, std::string_view key, bool fallback) {
    const auto field = object.find(key);
    return field ? field->boolean() : fallback;
}

/// A number in [least, most].
double numberIn(const JsonValue& field, double least, double most) {
    const double value = field.number();
    if (value < least || value > most) {
        throw field.error(fmt::format("must be from {} to {}, found {}", least, most, value));
    }
    return value;
}

double numberOr(const JsonValue& object, std::string_view key, double fallback, double least,
                double most) {
    const auto field = object.find(key);
    return field ? numberIn(*field, least, most) : fallback;
}

void refuseWhere(const JsonValue& object, std::string_view key, bool refused) {
    const auto field = object.find(key);
    if (field && field->boolean() == refused) {
        throw field->error(fmt::format("{} is not supported", refused));
    }
}

void readSizes(const JsonValue& root, ModelConfig& config) {
    const auto size = [&](std::string_view key, std::int64_t most) {
        return root.at(key).integer(1, most);
    };
    config.vocabSize = size("vocab_size", Limits::vocabSize);
    config.hiddenSize = size("hidden_size", Limits::hiddenSize);
    config.intermediateSize = size("intermediate_size", Limits::intermediateSize);
    config.numHiddenLayers = static_cast<int>(size("num_hidden_layers", Limits::layers));
    config.numAttentionHeads = static_cast<int>(size("num_attention_heads", Limits::heads));
    config.qLoraRank = integerOr(root, "q_lora_rank", 0, 1, Limits::loraRank);
    config.kvLoraRank = size("kv_lora_rank", Limits::loraRank);
    config.qkNopeHeadDim = size("qk_nope_head_dim", Limits::headDim);
    config.qkRopeHeadDim = size("qk_rope_head_dim", Limits::headDim);
    config.vHeadDim = size("v_head_dim", Limits::headDim);
    config.maxPositionEmbeddings = size("max_position_embeddings", Limits::positions);
    if (config.qkRopeHeadDim % 2 != 0) {
        throw root.at("qk_rope_head_dim")
            .error(fmt::format("must be even (rotary pairs), found {}", config.qkRopeHeadDim));
    }
}

void readArithmetic(const JsonValue& root, ModelConfig& config) {
    config.rmsNormEps = numberOr(root, "rms_norm_eps", 1e-6, 1e-30, 1);
    config.tieWordEmbeddings = booleanOr(root, "tie_word_embeddings", false);
    config.numNextnPredictLayers =
        smallOr(root, "num_nextn_predict_layers", 0, 0, Limits::mtpModules);
    if (const auto act = root.find("hidden_act")) {
        choose(*act, std::array{std::pair{"silu", 0}});
    }
    refuseWhere(root, "attention_bias", true);
    refuseWhere(root, "rope_interleave", false);
}

/// Experts must fall into equal groups, and the kept groups must hold enough of them.
void validateGroups(const JsonValue& root, const ModelConfig& config) {
    const auto refuse = [&](std::string_view field, const std::string& cause) {
        throw fileError(root.file(), std::string(field), cause);
    };
    if (config.nRoutedExperts % config.nGroup != 0) {
        refuse("n_group", fmt::format("{} groups do not divide n_routed_experts {}", config.nGroup,
                                      config.nRoutedExperts));
    }
    if (config.topkGroup > config.nGroup) {
        refuse("topk_group", fmt::format("{} groups cannot be kept of n_group {}", config.topkGroup,
                                         config.nGroup));
    }
    const int groupSize = config.nRoutedExperts / config.nGroup;
    if (config.numExpertsPerTok > config.topkGroup * groupSize) {
        refuse("num_experts_per_tok",
               fmt::format("{} experts cannot be chosen: topk_group {} groups of {} are eligible",
                           config.numExpertsPerTok, config.topkGroup, groupSize));
    }
    if (config.topkMethod == TopkMethod::NoauxTc && config.nGroup > 1 && groupSize < 2) {
        refuse("n_group", fmt::format("noaux_tc scores a group by its two best experts, but {} "
                                      "groups of n_routed_experts {} hold one each",
                                      config.nGroup, config.nRoutedExperts));
    }
}

/// null means none. Absent, the V3 class says 1; for V2 the published classes disagree, so that
/// guessing could silently drop a part of every layer.
int readSharedExperts(const JsonValue& root, bool v2) {
    constexpr int most = 256;
    if (root.raw().contains("n_shared_experts"))
        return smallOr(root, "n_shared_experts", 0, 0, most);
    if (v2) root.at("n_shared_experts");  // throws
    return 1;
}

/// The router. Absent fields take the defaults of the model type's published configuration class;
/// a model saved by newer library versions leaves out those that are the same for all its models.
void readRouting(const JsonValue& root, ModelConfig& config) {
    const bool v2 = config.modelType == ModelType::DeepseekV2;
    auto experts = root.find("n_routed_experts");
    if (!experts) experts = root.find("num_local_experts");
    if (!experts && root.find("num_experts_per_tok")) root.at("n_routed_experts");  // throws
    config.nRoutedExperts = experts ? static_cast<int>(experts->integer(0, Limits::experts)) : 0;
    if (config.nRoutedExperts == 0) return;

    config.moeIntermediateSize =
        root.at("moe_intermediate_size").integer(1, Limits::intermediateSize);
    config.firstKDenseReplace =
        smallOr(root, "first_k_dense_replace", v2 ? 0 : 3, 0, Limits::layers);
    config.moeLayerFreq = smallOr(root, "moe_layer_freq", 1, 1, Limits::layers);
    config.nSharedExperts = readSharedExperts(root, v2);
    config.routedScalingFactor = numberOr(root, "routed_scaling_factor", v2 ? 1.0 : 2.5, 1e-6, 1e6);
    config.normTopkProb = booleanOr(root, "norm_topk_prob", !v2);
    const auto scoring = root.find("scoring_func");
    config.scoringFunc = scoring ? choose(*scoring, scoringFuncs)
                         : v2    ? ScoringFunc::Softmax
                                 : ScoringFunc::Sigmoid;
    const auto method = root.find("topk_method");
    config.topkMethod = method ? choose(*method, topkMethods)
                        : v2   ? TopkMethod::Greedy
                               : TopkMethod::NoauxTc;

    const std::int64_t perTok = root.at("num_experts_per_tok").integer(1, Limits::experts);
    if (perTok > std::min<std::int64_t>(config.nRoutedExperts, Limits::expertsPerTok)) {
        throw root.at("num_experts_per_tok")
            .error(fmt::format("must be at most {} and at most n_routed_experts {}, found {}",
                               Limits::expertsPerTok, config.nRoutedExperts, perTok));
    }
    config.numExpertsPerTok = static_cast<int>(perTok);
    // null means one group; an absent field means the published default.
    const bool hasGroups = v2 || root.raw().contains("n_group");
    config.nGroup = smallOr(root, "n_group", hasGroups ? 1 : 8, 1, Limits::experts);
    const bool hasKept = v2 || root.raw().contains("topk_group");
    config.topkGroup = smallOr(root, "topk_group", hasKept ? 1 : 4, 1, Limits::experts);
    if (config.topkMethod == TopkMethod::Greedy) config.nGroup = config.topkGroup = 1;
    validateGroups(root, config);
}

YarnScaling readYarn(const JsonValue& scaling) {
    // These change the frequencies or the attention scale in ways the engine does not compute.
    if (const auto field = scaling.find("attention_factor")) {
        throw field->error("is not supported, only mscale and mscale_all_dim");
    }
    refuseWhere(scaling, "truncate", false);

    YarnScaling yarn;
    yarn.factor = numberIn(scaling.at("factor"), 1, 1e6);
    yarn.betaFast = numberOr(scaling, "beta_fast", yarn.betaFast, 1e-3, 1e6);
    yarn.betaSlow = numberOr(scaling, "beta_slow", yarn.betaSlow, 1e-3, 1e6);
    if (yarn.betaSlow > yarn.betaFast) {
        throw scaling.error(
            fmt::format("beta_slow {} must not exceed beta_fast {}", yarn.betaSlow, yarn.betaFast));
    }
    yarn.mscale = numberOr(scaling, "mscale", yarn.mscale, 0, 100);
    yarn.mscaleAllDim = numberOr(scaling, "mscale_all_dim", yarn.mscaleAllDim, 0, 100);
    yarn.originalMaxPositionEmbeddings =
        scaling.at("original_max_position_embeddings").integer(1, Limits::positions);
    return yarn;
}

/// "rope_scaling" and "rope_theta", or "rope_parameters" which holds both (newer files).
void readRope(const JsonValue& root, ModelConfig& config) {
    constexpr double largestTheta = 1e15;
    const auto parameters = root.find("rope_parameters");
    // YaRN divides by ln(theta), hence the lower bound.
    config.ropeTheta = numberOr(root, "rope_theta", 10000, 1.01, largestTheta);
    if (parameters) {
        config.ropeTheta =
            numberOr(*parameters, "rope_theta", config.ropeTheta, 1.01, largestTheta);
    }
    auto scaling = root.find("rope_scaling");
    if (!scaling) scaling = parameters;
    if (!scaling) return;

    auto type = scaling->find("rope_type");
    if (!type) type = scaling->find("type");
    if (!type) {
        if (scaling->find("factor")) throw scaling->error("has a factor, but no type");
        return;
    }
    enum class Rope { Plain, Yarn };
    const Rope rope =
        choose(*type, std::array{std::pair{"yarn", Rope::Yarn}, std::pair{"default", Rope::Plain},
                                 std::pair{"none", Rope::Plain}});
    if (rope == Rope::Yarn) config.yarn = readYarn(*scaling);
}

void readQuantization(const JsonValue& root, ModelConfig& config) {
    const auto quantization = root.find("quantization_config");
    if (!quantization) return;
    choose(quantization->at("quant_method"), std::array{std::pair{"fp8", 0}});
    if (const auto format = quantization->find("fmt")) {
        choose(*format, std::array{std::pair{"e4m3", 0}});
    }
    const JsonValue block = quantization->at("weight_block_size");
    if (block.size() != 2) throw block.error(fmt::format("must be [rows, columns]"));
    config.fp8 = true;
    config.fp8BlockRows = static_cast<int>(block.at(0).integer(1, Limits::fp8Block));
    config.fp8BlockCols = static_cast<int>(block.at(1).integer(1, Limits::fp8Block));
}

std::int32_t tokenId(const JsonValue& field, const ModelConfig& config) {
    return static_cast<std::int32_t>(field.integer(0, config.vocabSize - 1));
}

void addEosTokens(const JsonValue& root, ModelConfig& config) {
    const auto add = [&](const JsonValue& field) {
        const std::int32_t id = tokenId(field, config);
        auto& ids = config.eosTokenIds;
        if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    };
    const auto field = root.find("eos_token_id");
    if (!field) return;
    if (field->isArray()) {
        field->forEachElement([&](std::size_t, const JsonValue& element) { add(element); });
    } else {
        add(*field);
    }
}

}  // namespace

bool ModelConfig::isMoeLayer(int layer) const {
    return nRoutedExperts > 0 && layer >= firstKDenseReplace && layer % moeLayerFreq == 0;
}

std::vector<int> ModelConfig::moeLayers() const {
    std::vector<int> layers;
    for (int layer = 0; layer < numHiddenLayers; ++layer) {
        if (isMoeLayer(layer)) layers.push_back(layer);
    }
    return layers;
}

std::string_view name(ModelType type) {
    for (const auto& [text, value] : modelTypes) {
        if (value == type) return text;
    }
    return "?";
}

ModelConfig parseModelConfig(std::string_view configJson, std::string_view generationJson) {
    const auto document = JsonDocument::parse(configJson, "config.json");
    const JsonValue root = document.root();
    ModelConfig config;
    config.modelType = choose(root.at("model_type"), modelTypes);
    readSizes(root, config);
    readArithmetic(root, config);
    readRouting(root, config);
    readRope(root, config);
    readQuantization(root, config);
    addEosTokens(root, config);
    if (const auto bos = root.find("bos_token_id")) config.bosTokenId = tokenId(*bos, config);
    if (!generationJson.empty()) {
        const auto generation = JsonDocument::parse(generationJson, "generation_config.json");
        addEosTokens(generation.root(), config);
    }
    return config;
}

std::string readGenerationConfig(const std::filesystem::path& dir) {
    const auto path = dir / "generation_config.json";
    std::error_code ignored;
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) return {};
    std::string text = readFile(path, Limits::fileBytes);
    if (text.empty()) throw fileError("generation_config.json", "", "not valid JSON: it is empty");
    return text;
}

ModelConfig loadModelConfig(const std::filesystem::path& dir) {
    return parseModelConfig(readFile(dir / "config.json", Limits::fileBytes),
                            readGenerationConfig(dir));
}

}  // namespace gatescope
