// SPDX-License-Identifier: Apache-2.0
#include "engine/model/step_cost.h"

#include "engine/checkpoint/tensor_schema.h"
#include "engine/model/expert_placement.h"

namespace gatescope {

namespace {

std::uint64_t mlpBytes(const WeightSource& source, const MlpTensors& mlp) {
    return tensorBytes(source, mlp.gate) + tensorBytes(source, mlp.up) +
           tensorBytes(source, mlp.down);
}

std::uint64_t attentionWeightBytes(const WeightSource& source, int layer) {
    const auto tensors = attentionTensors(source.config(), layer);
    std::uint64_t bytes = tensorBytes(source, tensors.kvA) + tensorBytes(source, tensors.kvB) +
                          tensorBytes(source, tensors.output);
    for (const auto* query : {&tensors.query, &tensors.queryA, &tensors.queryB})
        if (*query) bytes += tensorBytes(source, **query);
    return bytes;
}

std::uint64_t moeBytes(const WeightSource& source, int layer) {
    const auto& config = source.config();
    // All routed experts of a layer have one size.
    std::uint64_t bytes = tensorBytes(source, routerTensors(config, layer).weight) +
                          static_cast<std::uint64_t>(config.numExpertsPerTok) *
                              mlpBytes(source, expertTensors(config, layer, 0));
    if (config.nSharedExperts > 0) bytes += mlpBytes(source, sharedExpertTensors(config, layer));
    return bytes;
}

std::uint64_t cacheBytes(const ModelConfig& config, CacheType type, std::int64_t rows) {
    const LatentLayout layout{type, config.kvLoraRank, config.qkRopeHeadDim};
    return static_cast<std::uint64_t>(config.numHiddenLayers * rows * layout.rowBytes());
}

}  // namespace

DecodeBytes decodeBytes(const WeightSource& source, CacheType cache, std::int64_t rows) {
    const auto& config = source.config();
    DecodeBytes bytes;
    for (int layer = 0; layer < config.numHiddenLayers; ++layer) {
        bytes.weights += attentionWeightBytes(source, layer);
        bytes.weights += config.isMoeLayer(layer)
                             ? moeBytes(source, layer)
                             : mlpBytes(source, denseMlpTensors(config, layer));
    }
    const auto vocabulary = static_cast<std::uint64_t>(config.vocabSize);
    bytes.weights += tensorBytes(source, headTensor(config)) +
                     tensorBytes(source, embeddingTensor(config)) / vocabulary;
    bytes.cache = cacheBytes(config, cache, rows);
    bytes.logits = vocabulary * sizeof(float);
    return bytes;
}

std::uint64_t latentAttentionBytes(const WeightSource& source, CacheType cache, std::int64_t rows) {
    const auto& config = source.config();
    auto bytes = cacheBytes(config, cache, rows);
    for (int layer = 0; layer < config.numHiddenLayers; ++layer)
        bytes += tensorBytes(source, attentionTensors(config, layer).kvB);
    return bytes;
}

std::uint64_t prefillMultiplyAdds(const ModelConfig& config, std::int64_t tokens,
                                  std::int64_t depth) {
    const auto hidden = config.hiddenSize;
    const auto heads = std::int64_t{config.numAttentionHeads};
    const auto queryDim = heads * config.qkHeadDim();
    const auto query =
        config.qLoraRank > 0 ? config.qLoraRank * (hidden + queryDim) : hidden * queryDim;
    const auto projections =
        query + config.latentWidth() * hidden + hidden * heads * config.vHeadDim;
    const auto expansion = heads * (config.qkNopeHeadDim + config.vHeadDim) * config.kvLoraRank;
    const auto pairs = tokens * depth + tokens * (tokens + 1) / 2;
    const auto attention = tokens * projections + (depth + tokens) * expansion +
                           pairs * heads * (config.qkHeadDim() + config.vHeadDim);
    const auto dense = 3 * hidden * config.intermediateSize;
    const auto moe =
        config.nRoutedExperts * hidden +
        3 * hidden * config.moeIntermediateSize * (config.numExpertsPerTok + config.nSharedExperts);
    auto sum = config.vocabSize * hidden;
    for (int layer = 0; layer < config.numHiddenLayers; ++layer)
        sum += attention + tokens * (config.isMoeLayer(layer) ? moe : dense);
    return static_cast<std::uint64_t>(sum);
}

}  // namespace gatescope
