// SPDX-License-Identifier: Apache-2.0
#include "engine/model/random_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "engine/checkpoint/tensor_schema.h"
#include "engine/error.h"

namespace gatescope {

namespace {

ModelConfig deepseekV3() {
    ModelConfig c;
    c.modelType = ModelType::DeepseekV3;
    c.vocabSize = 129280;
    c.hiddenSize = 7168;
    c.intermediateSize = 18432;
    c.moeIntermediateSize = 2048;
    c.numHiddenLayers = 61;
    c.firstKDenseReplace = 3;
    c.numAttentionHeads = 128;
    c.qLoraRank = 1536;
    c.kvLoraRank = 512;
    c.qkNopeHeadDim = 128;
    c.qkRopeHeadDim = 64;
    c.vHeadDim = 128;
    c.nRoutedExperts = 256;
    c.nSharedExperts = 1;
    c.numExpertsPerTok = 8;
    c.nGroup = 8;
    c.topkGroup = 4;
    c.routedScalingFactor = 2.5;
    c.numNextnPredictLayers = 1;
    c.yarn = YarnScaling{.factor = 40, .mscale = 1, .mscaleAllDim = 1};
    c.maxPositionEmbeddings = 163840;
    c.eosTokenIds = {1};
    c.bosTokenId = 0;
    return c;
}

ModelConfig kimiK2() {
    ModelConfig c = deepseekV3();
    c.modelType = ModelType::KimiK2;
    c.vocabSize = 163840;
    c.firstKDenseReplace = 1;
    c.numAttentionHeads = 64;
    c.nRoutedExperts = 384;
    c.nGroup = 1;
    c.topkGroup = 1;
    c.routedScalingFactor = 2.827;
    c.numNextnPredictLayers = 0;
    c.ropeTheta = 50000;
    c.yarn = YarnScaling{.factor = 32, .betaFast = 1, .mscale = 1, .mscaleAllDim = 1};
    c.maxPositionEmbeddings = 131072;
    return c;
}

ModelConfig moonlight() {
    ModelConfig c = kimiK2();
    c.modelType = ModelType::DeepseekV3;
    c.hiddenSize = 2048;
    c.intermediateSize = 11264;
    c.moeIntermediateSize = 1408;
    c.numHiddenLayers = 27;
    c.numAttentionHeads = 16;
    c.qLoraRank = 0;
    c.nRoutedExperts = 64;
    c.nSharedExperts = 2;
    c.numExpertsPerTok = 6;
    c.routedScalingFactor = 2.446;
    c.rmsNormEps = 1e-5;
    c.yarn.reset();
    c.maxPositionEmbeddings = 8192;
    return c;
}

ModelConfig v2Lite() {
    ModelConfig c = moonlight();
    c.modelType = ModelType::DeepseekV2;
    c.vocabSize = 102400;
    c.intermediateSize = 10944;
    c.topkMethod = TopkMethod::Greedy;
    c.scoringFunc = ScoringFunc::Softmax;
    c.normTopkProb = false;
    c.routedScalingFactor = 1;
    c.rmsNormEps = 1e-6;
    c.ropeTheta = 10000;
    c.yarn = YarnScaling{.factor = 40, .mscale = 0.707, .mscaleAllDim = 0.707};
    c.maxPositionEmbeddings = 163840;
    return c;
}

ModelConfig mini2b() {
    ModelConfig c = deepseekV3();
    c.vocabSize = 32768;
    c.hiddenSize = 2048;
    c.intermediateSize = 8192;
    c.moeIntermediateSize = 512;
    c.numHiddenLayers = 9;
    c.firstKDenseReplace = 1;
    c.numAttentionHeads = 16;
    c.qLoraRank = 768;
    c.nRoutedExperts = 64;
    return c;
}

// Published initialisation: a normal distribution of this width.
constexpr float kDeviation = 0.02f;
std::uint64_t hash(std::string_view text) {
    std::uint64_t h = 14695981039346656037u;  // FNV-1a
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return h;
}

// What published FP8 checkpoints keep in BF16.
bool staysBf16(std::string_view name) {
    return name.ends_with("embed_tokens.weight") || name == "lm_head.weight" ||
           name.ends_with("mlp.gate.weight") || name.ends_with("eh_proj.weight");
}

}  // namespace

ModelConfig namedShape(std::string_view name, int layers) {
    ModelConfig config;
    if (name == "deepseek-v3") {
        config = deepseekV3();
    } else if (name == "kimi-k2") {
        config = kimiK2();
    } else if (name == "moonlight") {
        config = moonlight();
    } else if (name == "v2-lite") {
        config = v2Lite();
    } else if (name == "mini-2b") {
        config = mini2b();
    } else {
        throw Error(fmt::format(
            "{}: no such shape; there are deepseek-v3, kimi-k2, moonlight, v2-lite and mini-2b",
            name));
    }
    if (layers > 0) {
        config.numHiddenLayers = layers;
        config.firstKDenseReplace = std::min(config.firstKDenseReplace, layers);
    }
    return config;
}

struct RandomWeights::Entry {
    std::vector<std::byte> bytes;
    TensorView view;
};

RandomWeights::RandomWeights(ModelConfig config, DType dtype, std::uint64_t seed)
    : m_config(std::move(config)), m_dtype(dtype), m_seed(seed) {
    m_config.fp8 = dtype == DType::F8E4M3;
    forEachTensor(m_config, [&](const TensorSpec& spec) {
        if (spec.optional) return true;
        if (spec.rank == TensorRank::One) {
            m_vectors[spec.name] = makeVector(spec);
        } else {
            m_weightBytes += storedBytes(spec);
        }
        m_parameters +=
            static_cast<std::uint64_t>(spec.rows) * static_cast<std::uint64_t>(spec.cols);
        return true;
    });
}

RandomWeights::~RandomWeights() = default;

const TensorView* RandomWeights::find(std::string_view name) const {
    const auto found = m_vectors.find(name);
    return found == m_vectors.end() ? nullptr : &found->second->view;
}

DType RandomWeights::dtypeOf(std::string_view name) const {
    return m_config.fp8 && staysBf16(name) ? DType::BF16 : m_dtype;
}

std::optional<RandomFill> RandomWeights::randomFill(const std::string& name, std::int64_t rows,
                                                    std::int64_t cols) const {
    return RandomFill{.dtype = dtypeOf(name),
                      .rows = rows,
                      .cols = cols,
                      .blockRows = m_config.fp8BlockRows,
                      .blockCols = m_config.fp8BlockCols,
                      .deviation = kDeviation,
                      .seed = m_seed ^ hash(name)};
}

std::uint64_t RandomWeights::storedBytes(const TensorSpec& spec) const {
    const auto count =
        static_cast<std::uint64_t>(spec.rows) * static_cast<std::uint64_t>(spec.cols);
    const auto dtype = dtypeOf(spec.name);
    std::uint64_t bytes = count * elementSize(dtype);
    if (dtype != DType::F8E4M3) return bytes;
    const auto blocks = [](std::int64_t size, int block) {
        return static_cast<std::uint64_t>((size + block - 1) / block);
    };
    return bytes + blocks(spec.rows, m_config.fp8BlockRows) *
                       blocks(spec.cols, m_config.fp8BlockCols) * sizeof(float);
}

std::unique_ptr<RandomWeights::Entry> RandomWeights::makeVector(const TensorSpec& spec) const {
    std::vector<float> values(static_cast<std::size_t>(spec.rows), 1.0f);
    if (!spec.name.ends_with("norm.weight")) {
        std::mt19937_64 random(m_seed ^ hash(spec.name));
        std::normal_distribution<float> normal(0, kDeviation);
        for (float& v : values) v = normal(random);
    }
    auto entry = std::make_unique<Entry>();
    entry->bytes.resize(values.size() * sizeof(float));
    std::memcpy(entry->bytes.data(), values.data(), entry->bytes.size());
    entry->view = {.name = spec.name,
                   .dtype = gatescope::name(DType::F32),
                   .shape = {spec.rows},
                   .bytes = {entry->bytes},
                   .file = describe()};
    return entry;
}

}  // namespace gatescope
