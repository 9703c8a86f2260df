// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/tensor_schema.h"

#include <fmt/format.h>

#include <string_view>

namespace gatescope {
namespace {

TensorSpec matrix(std::string name, std::int64_t rows, std::int64_t cols) {
    return {std::move(name), TensorRank::Two, rows, cols, false};
}

TensorSpec vector(std::string name, std::int64_t length) {
    return {std::move(name), TensorRank::One, length, 1, false};
}

std::string inLayer(int layer, std::string_view name) {
    return fmt::format("model.layers.{}.{}", layer, name);
}

MlpTensors mlp(const std::string& prefix, std::int64_t hidden, std::int64_t width) {
    return {matrix(prefix + ".gate_proj.weight", width, hidden),
            matrix(prefix + ".up_proj.weight", width, hidden),
            matrix(prefix + ".down_proj.weight", hidden, width)};
}

bool visitMlp(const MlpTensors& tensors, const TensorVisitor& visit) {
    return visit(tensors.gate) && visit(tensors.up) && visit(tensors.down);
}

bool visitAttention(const AttentionTensors& tensors, const TensorVisitor& visit) {
    for (const auto* part :
         {&tensors.query, &tensors.queryA, &tensors.queryANorm, &tensors.queryB}) {
        if (*part && !visit(**part)) return false;
    }
    return visit(tensors.inputNorm) && visit(tensors.kvA) && visit(tensors.kvANorm) &&
           visit(tensors.kvB) && visit(tensors.output) && visit(tensors.postNorm);
}

bool visitMoe(const ModelConfig& config, int layer, const TensorVisitor& visit) {
    const RouterTensors router = routerTensors(config, layer);
    if (!visit(router.weight) || (router.bias && !visit(*router.bias))) return false;
    if (config.nSharedExperts > 0 && !visitMlp(sharedExpertTensors(config, layer), visit)) {
        return false;
    }
    for (int expert = 0; expert < config.nRoutedExperts; ++expert) {
        if (!visitMlp(expertTensors(config, layer, expert), visit)) return false;
    }
    return true;
}

bool visitMtp(const MtpTensors& tensors, const TensorVisitor& visit) {
    return visit(tensors.embeddingNorm) && visit(tensors.hiddenNorm) && visit(tensors.projection) &&
           visit(tensors.headNorm) && visit(tensors.embedding) && visit(tensors.head);
}

}  // namespace

TensorSpec embeddingTensor(const ModelConfig& config) {
    return matrix("model.embed_tokens.weight", config.vocabSize, config.hiddenSize);
}

TensorSpec headTensor(const ModelConfig& config) {
    if (config.tieWordEmbeddings) return embeddingTensor(config);
    return matrix("lm_head.weight", config.vocabSize, config.hiddenSize);
}

TensorSpec finalNormTensor(const ModelConfig& config) {
    return vector("model.norm.weight", config.hiddenSize);
}

AttentionTensors attentionTensors(const ModelConfig& config, int layer) {
    const std::int64_t hidden = config.hiddenSize;
    const std::int64_t heads = config.numAttentionHeads;
    const std::int64_t queryRows = heads * config.qkHeadDim();
    const std::int64_t kvRows = heads * (config.qkNopeHeadDim + config.vHeadDim);
    const auto at = [layer](std::string_view name) { return inLayer(layer, name); };

    AttentionTensors tensors;
    tensors.inputNorm = vector(at("input_layernorm.weight"), hidden);
    if (config.qLoraRank == 0) {
        tensors.query = matrix(at("self_attn.q_proj.weight"), queryRows, hidden);
    } else {
        tensors.queryA = matrix(at("self_attn.q_a_proj.weight"), config.qLoraRank, hidden);
        tensors.queryANorm = vector(at("self_attn.q_a_layernorm.weight"), config.qLoraRank);
        tensors.queryB = matrix(at("self_attn.q_b_proj.weight"), queryRows, config.qLoraRank);
    }
    tensors.kvA = matrix(at("self_attn.kv_a_proj_with_mqa.weight"), config.latentWidth(), hidden);
    tensors.kvANorm = vector(at("self_attn.kv_a_layernorm.weight"), config.kvLoraRank);
    tensors.kvB = matrix(at("self_attn.kv_b_proj.weight"), kvRows, config.kvLoraRank);
    tensors.output = matrix(at("self_attn.o_proj.weight"), hidden, heads * config.vHeadDim);
    tensors.postNorm = vector(at("post_attention_layernorm.weight"), hidden);
    return tensors;
}

MlpTensors denseMlpTensors(const ModelConfig& config, int layer) {
    return mlp(inLayer(layer, "mlp"), config.hiddenSize, config.intermediateSize);
}

MlpTensors expertTensors(const ModelConfig& config, int layer, int expert) {
    return mlp(inLayer(layer, fmt::format("mlp.experts.{}", expert)), config.hiddenSize,
               config.moeIntermediateSize);
}

MlpTensors sharedExpertTensors(const ModelConfig& config, int layer) {
    return mlp(inLayer(layer, "mlp.shared_experts"), config.hiddenSize,
               config.nSharedExperts * config.moeIntermediateSize);
}

RouterTensors routerTensors(const ModelConfig& config, int layer) {
    RouterTensors router;
    router.weight =
        matrix(inLayer(layer, "mlp.gate.weight"), config.nRoutedExperts, config.hiddenSize);
    if (config.topkMethod == TopkMethod::NoauxTc) {
        router.bias =
            vector(inLayer(layer, "mlp.gate.e_score_correction_bias"), config.nRoutedExperts);
    }
    return router;
}

MtpTensors mtpTensors(const ModelConfig& config, int layer) {
    const std::int64_t hidden = config.hiddenSize;
    MtpTensors tensors;
    tensors.embeddingNorm = vector(inLayer(layer, "enorm.weight"), hidden);
    tensors.hiddenNorm = vector(inLayer(layer, "hnorm.weight"), hidden);
    tensors.projection = matrix(inLayer(layer, "eh_proj.weight"), hidden, 2 * hidden);
    tensors.headNorm = vector(inLayer(layer, "shared_head.norm.weight"), hidden);
    tensors.embedding = matrix(inLayer(layer, "embed_tokens.weight"), config.vocabSize, hidden);
    tensors.head = matrix(inLayer(layer, "shared_head.head.weight"), config.vocabSize, hidden);
    tensors.embedding.optional = tensors.head.optional = true;
    return tensors;
}

int tensorLayers(const ModelConfig& config) {
    return config.numHiddenLayers + config.numNextnPredictLayers;
}

bool forEachLayerTensor(const ModelConfig& config, int layer, const TensorVisitor& visit) {
    if (!visitAttention(attentionTensors(config, layer), visit)) return false;
    const bool go = config.isMoeLayer(layer) ? visitMoe(config, layer, visit)
                                             : visitMlp(denseMlpTensors(config, layer), visit);
    if (!go || layer < config.mtpLayer()) return go;
    return visitMtp(mtpTensors(config, layer), visit);
}

bool forEachOuterTensor(const ModelConfig& config, const TensorVisitor& visit) {
    return visit(embeddingTensor(config)) && visit(finalNormTensor(config)) &&
           (config.tieWordEmbeddings || visit(headTensor(config)));
}

bool forEachTensor(const ModelConfig& config, const TensorVisitor& visit) {
    if (!forEachOuterTensor(config, visit)) return false;
    for (int layer = 0; layer < tensorLayers(config); ++layer) {
        if (!forEachLayerTensor(config, layer, visit)) return false;
    }
    return true;
}

}  // namespace gatescope
