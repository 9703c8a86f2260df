// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/terminal.h"
#include "engine/checkpoint/printable.h"
#include "engine/model/model_card.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    CommonOptions common;
    std::string model;
    bool json = false;
};

constexpr double kFloatBytes = 4;  // the cache of this engine is float32
constexpr double kBf16Bytes = 2;   // what papers quote

std::string_view name(TopkMethod method) {
    switch (method) {
        case TopkMethod::NoauxTc:
            return "noaux_tc";
        case TopkMethod::Greedy:
            return "greedy";
        case TopkMethod::GroupLimitedGreedy:
            return "group_limited_greedy";
    }
    return "";
}

std::string_view name(ScoringFunc scoring) {
    return scoring == ScoringFunc::Sigmoid ? "sigmoid" : "softmax";
}

Json groupsJson(const std::vector<ParameterGroup>& groups) {
    Json list = Json::array();
    for (const ParameterGroup& group : groups) {
        list.push_back({{"name", group.name},
                        {"total", group.total},
                        {"active", group.active},
                        {"bytes", group.bytes}});
    }
    const ParameterGroup sum = ModelCard::sum(groups);
    return {{"total", sum.total}, {"active", sum.active}, {"bytes", sum.bytes}, {"groups", list}};
}

Json architectureJson(const ModelConfig& config) {
    return {{"layers", config.numHiddenLayers},
            {"moe_layers", config.moeLayers()},
            {"mtp_layer", config.hasMtp() ? Json(config.mtpLayer()) : Json()},
            {"hidden_size", config.hiddenSize},
            {"intermediate_size", config.intermediateSize},
            {"moe_intermediate_size", config.moeIntermediateSize},
            {"heads", config.numAttentionHeads},
            {"q_lora_rank", config.qLoraRank > 0 ? Json(config.qLoraRank) : Json()},
            {"kv_lora_rank", config.kvLoraRank},
            {"qk_nope_head_dim", config.qkNopeHeadDim},
            {"qk_rope_head_dim", config.qkRopeHeadDim},
            {"v_head_dim", config.vHeadDim},
            {"vocab_size", config.vocabSize},
            {"rms_norm_eps", config.rmsNormEps},
            {"rope_theta", config.ropeTheta},
            {"yarn_factor", config.yarn ? Json(config.yarn->factor) : Json()}};
}

Json routingJson(const ModelConfig& config) {
    return {{"method", name(config.topkMethod)},
            {"scoring", name(config.scoringFunc)},
            {"experts", config.nRoutedExperts},
            {"shared_experts", config.nSharedExperts},
            {"experts_per_token", config.numExpertsPerTok},
            {"groups", config.nGroup},
            {"groups_kept", config.topkGroup},
            {"normalised", config.normTopkProb},
            {"scaling_factor", config.routedScalingFactor},
            {"correction_bias", config.topkMethod == TopkMethod::NoauxTc}};
}

Json cacheJson(const CachePerToken& cache) {
    return {{"dtype", "F32"},
            {"latent_bytes", cache.latentValues * 4},
            {"mtp_bytes", cache.mtpValues * 4},
            {"expanded_bytes", cache.expandedValues * 4},
            {"latent_values", cache.latentValues},
            {"mtp_values", cache.mtpValues},
            {"expanded_values", cache.expandedValues},
            {"expanded_over_latent",
             static_cast<double>(cache.expandedValues) / static_cast<double>(cache.latentValues)}};
}

Json cardJson(const LoadedModel& model, const ModelCard& card) {
    const ModelConfig& config = model.config();
    Json json = {{"model", model.name()},
                 {"model_type", name(config.modelType)},
                 {"fingerprint", model.fingerprint()},
                 {"architecture", architectureJson(config)},
                 {"routing", routingJson(config)},
                 {"parameters", groupsJson(card.main)},
                 {"mtp_parameters", card.mtp.empty() ? Json() : groupsJson(card.mtp)}};
    Json dtypes = Json::object();
    for (const auto& [dtype, bytes] : card.dtypes) dtypes[dtype] = bytes;
    json["bytes"] = card.bytes;
    json["bytes_by_dtype"] = dtypes;
    json["tensors"] = card.tensors;
    json["ignored_tensors"] = card.ignoredTensors;
    json["fp8_blocks"] =
        config.fp8 ? Json::array({config.fp8BlockRows, config.fp8BlockCols}) : Json();
    json["cache_per_token"] = cacheJson(card.cache);
    json["limits"] = {{"context", config.maxPositionEmbeddings}};
    json["end_tokens"] = config.eosTokenIds;
    json["chat_format"] =
        model.hasTokenizer() ? Json(ChatFormat::name(model.chatFormat().style())) : Json();
    json["tokenizer"] = model.hasTokenizer() ? Json{{"vocab_size", model.tokenizer().vocabSize()},
                                                    {"adds_bos", model.tokenizer().addBos()}}
                                             : Json();
    return json;
}

std::string parameterTable(const std::vector<ParameterGroup>& groups) {
    std::string text;
    for (const ParameterGroup& group : groups) {
        text += fmt::format("  {:<32}{:>10}{:>12}{:>12}\n", group.name,
                            countText(static_cast<double>(group.total)),
                            countText(static_cast<double>(group.active)),
                            bytesText(static_cast<double>(group.bytes)));
    }
    return text;
}

std::string parameterText(const ModelCard& card) {
    std::string text =
        fmt::format("{:<34}{:>10}{:>12}{:>12}\n", "Parameters", "total", "active", "stored");
    ParameterGroup sum = ModelCard::sum(card.main);
    sum.name = "main model";
    text += parameterTable(card.main) + parameterTable({sum});
    if (!card.mtp.empty()) {
        sum = ModelCard::sum(card.mtp);
        sum.name = "MTP module";
        text += "MTP module\n" + parameterTable(card.mtp) + parameterTable({sum});
    }
    text += "  active: used for one token, k of E routed experts and one row of the embedding\n";
    return text;
}

std::string routingText(const ModelConfig& config) {
    if (config.nRoutedExperts == 0) return "none: every layer is dense";
    std::string text =
        fmt::format("{}, {} scores, top {} of {} experts", name(config.topkMethod),
                    name(config.scoringFunc), config.numExpertsPerTok, config.nRoutedExperts);
    if (config.nGroup > 1) {
        text += fmt::format(" in {} groups, {} kept", config.nGroup, config.topkGroup);
    }
    return text + fmt::format(", {} shared, factor {}{}", config.nSharedExperts,
                              config.routedScalingFactor,
                              config.normTopkProb ? ", weights normalised" : "");
}

std::string layersText(const ModelConfig& config) {
    const std::size_t moe = config.moeLayers().size();
    std::string text = fmt::format("{} ({} dense, {} MoE)", config.numHiddenLayers,
                                   static_cast<std::size_t>(config.numHiddenLayers) - moe, moe);
    if (config.hasMtp()) text += fmt::format(", and MTP layer {}", config.mtpLayer());
    return text;
}

std::string attentionText(const ModelConfig& config) {
    const std::string query = config.qLoraRank > 0
                                  ? fmt::format("query latent {}", config.qLoraRank)
                                  : std::string("no query latent");
    return fmt::format("MLA, {} heads, {}, latent {} + rotary {}", config.numAttentionHeads, query,
                       config.kvLoraRank, config.qkRopeHeadDim);
}

std::string contextText(const ModelConfig& config) {
    std::string text = fmt::format("{} positions", config.maxPositionEmbeddings);
    if (config.yarn) {
        text += fmt::format(" (YaRN {} x {})", config.yarn->factor,
                            config.yarn->originalMaxPositionEmbeddings);
    }
    return text;
}

std::string cacheText(const ModelConfig& config, const CachePerToken& cache) {
    const auto size = [](std::int64_t values, double element) {
        return bytesText(static_cast<double>(values) * element);
    };
    std::string text =
        fmt::format("latent {} (F32; {} in BF16)", size(cache.latentValues, kFloatBytes),
                    size(cache.latentValues, kBf16Bytes));
    if (cache.mtpValues > 0) {
        text += fmt::format(", MTP layer {}", size(cache.mtpValues, kFloatBytes));
    }
    text += fmt::format(
        "; expanded keys and values {}, {:.1f} times as much\n",
        size(cache.expandedValues, kFloatBytes),
        static_cast<double>(cache.expandedValues) / static_cast<double>(cache.latentValues));
    const std::int64_t whole =
        (cache.latentValues + cache.mtpValues) * config.maxPositionEmbeddings;
    return text + fmt::format("{:<18}{} at the full context", "", size(whole, kFloatBytes));
}

std::string filesText(const ModelCard& card, const ModelConfig& config) {
    std::vector<std::string> dtypes;
    for (const auto& [dtype, bytes] : card.dtypes) {
        dtypes.push_back(fmt::format("{} {}", dtype, bytesText(static_cast<double>(bytes))));
    }
    std::string text =
        fmt::format("{} in {} tensors ({})", bytesText(static_cast<double>(card.bytes)),
                    card.tensors, fmt::join(dtypes, ", "));
    if (config.fp8) {
        text += fmt::format(", FP8 blocks {} x {}", config.fp8BlockRows, config.fp8BlockCols);
    }
    if (card.ignoredTensors > 0) {
        text += fmt::format(", {} of them no part of the model", card.ignoredTensors);
    }
    return text;
}

std::string tokenizerText(const LoadedModel& model) {
    if (!model.hasTokenizer()) return "none: token ids only";
    const Tokenizer& tokenizer = model.tokenizer();
    return fmt::format("byte-level BPE, {} ids{}, chat format {}", tokenizer.vocabSize(),
                       tokenizer.addBos() ? ", adds BOS" : "",
                       ChatFormat::name(model.chatFormat().style()));
}

std::string cardText(const LoadedModel& model, const ModelCard& card) {
    const ModelConfig& config = model.config();
    std::string text;
    const auto row = [&text](std::string_view label, std::string_view value) {
        text += fmt::format("{:<18}{}\n", label, value);
    };
    row("Model", printable(model.name()));
    row("Type", name(config.modelType));
    row("Layers", layersText(config));
    row("Hidden size", fmt::format("{}, vocabulary {}", config.hiddenSize, config.vocabSize));
    row("Attention", attentionText(config));
    row("Routing", routingText(config));
    row("Files", filesText(card, config));
    row("Context", contextText(config));
    row("Cache per token", cacheText(config, card.cache));
    row("Tokenizer", tokenizerText(model));
    row("Fingerprint", model.fingerprint());
    return text + parameterText(card);
}

int inspect(const Options& options) {
    checkCommonOptions(options.common);
    const std::filesystem::path dir = options.model;
    // A folder that holds only a tokenizer: what is wrong with that says more than what is missing.
    if (!exists(dir / "config.json") && exists(dir / "tokenizer.json")) Tokenizer{dir};
    const auto model = loadModel(options.model, options.common);
    const ModelCard card = modelCard(Checkpoint(options.model));
    print(options.json
              ? cardJson(*model, card).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
              : cardText(*model, card));
    return kDone;
}

}  // namespace

void addInspect(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "inspect", "Model card: layers, parameters, bytes, cache per token, limits");
    command->add_option("MODEL", options->model, "Model folder")->required();
    command->add_flag("--json", options->json, "Machine-readable");
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return inspect(*options); }; });
}

}  // namespace gatescope::cli
