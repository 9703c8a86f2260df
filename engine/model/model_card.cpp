// SPDX-License-Identifier: Apache-2.0
#include "engine/model/model_card.h"

#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

namespace gatescope {
namespace {

// Kinds in the order a person reads them.
constexpr std::string_view kEmbedding = "embedding";
constexpr std::string_view kAttention = "attention";
constexpr std::string_view kDense = "dense MLP";
constexpr std::string_view kRouter = "router";
constexpr std::string_view kRouted = "routed experts";
constexpr std::string_view kShared = "shared experts";
constexpr std::string_view kNorms = "norms";
constexpr std::string_view kProjection = "MTP input projection";
constexpr std::string_view kHead = "output head";
constexpr std::string_view kCopies = "copies of embedding and head";
constexpr std::array kOrder{kEmbedding, kAttention, kDense,      kRouter, kRouted,
                            kShared,    kNorms,     kProjection, kHead,   kCopies};

struct Place {
    std::string_view kind;
    bool mtp = false;
};

bool removePrefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

/// The kind of a tensor inside a decoder layer, by the rest of its name.
std::optional<std::string_view> kindInLayer(std::string_view rest, bool mtp) {
    if (rest.starts_with("self_attn.rotary_emb.")) return std::nullopt;  // derived, never read
    if (rest.starts_with("self_attn.")) return kAttention;
    if (rest.starts_with("mlp.gate.")) return kRouter;
    if (rest.starts_with("mlp.experts.")) return kRouted;
    if (rest.starts_with("mlp.shared_experts.")) return kShared;
    if (rest.starts_with("mlp.")) return kDense;
    if (rest.starts_with("input_layernorm.") || rest.starts_with("post_attention_layernorm.")) {
        return kNorms;
    }
    if (!mtp) return std::nullopt;
    if (rest.starts_with("embed_tokens.") || rest.starts_with("shared_head.head.")) return kCopies;
    if (rest.starts_with("eh_proj.")) return kProjection;
    if (rest.starts_with("enorm.") || rest.starts_with("hnorm.") ||
        rest.starts_with("shared_head.norm.")) {
        return kNorms;
    }
    return std::nullopt;
}

/// Where a tensor belongs; nothing for those that are no part of the model.
std::optional<Place> placeOf(std::string_view name, const ModelConfig& config) {
    if (name == "model.embed_tokens.weight") return Place{kEmbedding};
    if (name == "model.norm.weight") return Place{kNorms};
    if (name == "lm_head.weight") return Place{kHead};
    if (!removePrefix(name, "model.layers.")) return std::nullopt;
    int layer = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), layer);
    if (problem != std::errc()) return std::nullopt;
    name.remove_prefix(static_cast<std::size_t>(end - name.data()));
    const int layers = config.numHiddenLayers + config.numNextnPredictLayers;
    if (!removePrefix(name, ".") || layer < 0 || layer >= layers) return std::nullopt;
    const bool mtp = layer >= config.numHiddenLayers;
    const auto kind = kindInLayer(name, mtp);
    if (!kind) return std::nullopt;
    return Place{*kind, mtp};
}

std::int64_t activePart(std::string_view kind, std::int64_t total, const ModelConfig& config) {
    if (kind == kCopies) return 0;
    if (kind == kEmbedding) return config.hiddenSize;
    if (kind != kRouted) return total;
    return total / config.nRoutedExperts * config.numExpertsPerTok;
}

std::vector<ParameterGroup> inOrder(const std::map<std::string_view, ParameterGroup>& groups,
                                    const ModelConfig& config) {
    std::vector<ParameterGroup> ordered;
    for (const std::string_view kind : kOrder) {
        const auto found = groups.find(kind);
        if (found == groups.end()) continue;
        ordered.push_back(found->second);
        ordered.back().name = kind;
        ordered.back().active = activePart(kind, found->second.total, config);
    }
    return ordered;
}

CachePerToken cachePerToken(const ModelConfig& config) {
    const std::int64_t layers = config.numHiddenLayers;
    const std::int64_t expanded = config.numAttentionHeads * (config.qkHeadDim() + config.vHeadDim);
    return {layers * config.latentWidth(), config.hasMtp() ? config.latentWidth() : 0,
            layers * expanded};
}

}  // namespace

ParameterGroup ModelCard::sum(const std::vector<ParameterGroup>& groups) {
    ParameterGroup all;
    for (const ParameterGroup& group : groups) {
        all.total += group.total;
        all.active += group.active;
        all.bytes += group.bytes;
    }
    return all;
}

ModelCard modelCard(const Checkpoint& checkpoint) {
    const ModelConfig& config = checkpoint.config();
    ModelCard card;
    card.cache = cachePerToken(config);
    card.bytes = checkpoint.weightBytes();
    card.tensors = checkpoint.tensorCount();
    std::map<std::string_view, ParameterGroup> main;
    std::map<std::string_view, ParameterGroup> mtp;
    std::map<std::string, std::uint64_t> dtypes;
    for (const TensorView* tensor : checkpoint.tensors()) {
        const auto place = placeOf(tensor->name, config);
        if (!place) {
            ++card.ignoredTensors;
            card.ignoredBytes += tensor->bytes.size();
            continue;
        }
        dtypes[tensor->dtype] += tensor->bytes.size();
        ParameterGroup& group = (place->mtp ? mtp : main)[place->kind];
        group.bytes += tensor->bytes.size();
        if (!tensor->name.ends_with("_scale_inv")) group.total += tensor->elements();
    }
    card.main = inOrder(main, config);
    card.mtp = inOrder(mtp, config);
    card.dtypes.assign(dtypes.begin(), dtypes.end());
    return card;
}

}  // namespace gatescope
