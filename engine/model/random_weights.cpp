// SPDX-License-Identifier: Apache-2.0
#include "engine/model/random_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

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

// Values drawn once and then picked at random: drawing 10^9 normal numbers would take a minute.
constexpr std::size_t kTable = 4096;

std::array<float, kTable> normalTable(std::uint64_t seed) {
    std::array<float, kTable> table{};
    std::uint64_t state = seed;
    const auto uniform = [&] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (static_cast<double>(state >> 11) + 0.5) * 0x1p-53;
    };
    for (auto& v : table)  // Box-Muller
        v = static_cast<float>(std::sqrt(-2 * std::log(uniform())) *
                               std::cos(2 * std::numbers::pi * uniform()));
    return table;
}

// Nearest e4m3 value; |x| <= 448.
std::uint8_t floatToF8(float x) {
    int best = 0;
    for (int bits = 0; bits < 0x7F; ++bits)
        if (std::abs(f8e4m3ToFloat(static_cast<std::uint8_t>(bits)) - std::abs(x)) <
            std::abs(f8e4m3ToFloat(static_cast<std::uint8_t>(best)) - std::abs(x)))
            best = bits;
    return static_cast<std::uint8_t>(best | (x < 0 ? 0x80 : 0));
}

std::uint16_t floatToF16(float x) {
    // The table's values are normal f16 numbers, so rebasing the exponent is enough.
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const auto magnitude = ((bits & 0x7FFFFFFF) >> 13) - ((127 - 15) << 10);
    return static_cast<std::uint16_t>(((bits >> 16) & 0x8000) |
                                      (std::abs(x) < 1e-4f ? 0 : magnitude));
}

template <typename Stored>
void fill(std::byte* out, std::size_t count, const std::array<Stored, kTable>& table,
          std::uint64_t seed) {
    std::uint64_t state = seed * 2 + 1;
    for (std::size_t i = 0; i < count;) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        for (int shift = 0; shift < 60 && i < count; shift += 12, ++i) {
            const auto& value = table[(state >> shift) % kTable];
            std::memcpy(out + i * sizeof(Stored), &value, sizeof(Stored));
        }
    }
}

template <typename Stored, typename Encode>
void fillEncoded(std::byte* out, std::size_t count, float deviation, std::uint64_t seed,
                 const Encode& encode) {
    const auto normal = normalTable(seed);
    std::array<Stored, kTable> table{};
    for (std::size_t i = 0; i < kTable; ++i) table[i] = encode(normal[i] * deviation);
    fill(out, count, table, seed);
}

// Published initialisation: a normal distribution of this width.
constexpr float kDeviation = 0.02f;
// FP8 weights are stored in units of the scale; 32 makes their range fit e4m3 well.
constexpr float kF8Deviation = 32;

void fillTensor(std::byte* out, DType dtype, std::size_t count, std::uint64_t seed) {
    switch (dtype) {
        case DType::F32:
            return fillEncoded<float>(out, count, kDeviation, seed, [](float v) { return v; });
        case DType::BF16:
            return fillEncoded<std::uint16_t>(out, count, kDeviation, seed, floatToBf16);
        case DType::F16:
            return fillEncoded<std::uint16_t>(out, count, kDeviation, seed, floatToF16);
        case DType::F8E4M3:
            return fillEncoded<std::uint8_t>(out, count, kF8Deviation, seed, floatToF8);
    }
}

void fillConstant(std::byte* out, std::size_t count, float value) {
    for (std::size_t i = 0; i < count; ++i) std::memcpy(out + i * sizeof(float), &value, 4);
}

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
        auto& shape = m_shapes[spec.name];
        shape = spec.kind == TensorKind::Vector ? std::vector{spec.rows}
                                                : std::vector{spec.rows, spec.cols};
        if (m_config.fp8 && shape.size() == 2 && !staysBf16(spec.name))
            m_shapes[spec.name + "_scale_inv"] = {
                (spec.rows + m_config.fp8BlockRows - 1) / m_config.fp8BlockRows,
                (spec.cols + m_config.fp8BlockCols - 1) / m_config.fp8BlockCols};
        return true;
    });
}

RandomWeights::~RandomWeights() = default;

const TensorView* RandomWeights::find(std::string_view name) const {
    if (const auto made = m_made.find(name); made != m_made.end()) return &made->second.view;
    const auto shape = m_shapes.find(name);
    if (shape == m_shapes.end()) return nullptr;
    const auto entry = m_made.emplace(shape->first, make(shape->first, shape->second)).first;
    return &entry->second.view;
}

RandomWeights::Entry RandomWeights::make(const std::string& name,
                                         const std::vector<std::int64_t>& shape) const {
    const bool scale = name.ends_with("_scale_inv");
    const bool vector = shape.size() == 1;
    DType dtype = scale || vector ? DType::F32 : m_dtype;
    if (m_config.fp8 && staysBf16(name)) dtype = DType::BF16;
    std::size_t count = 1;
    for (const auto n : shape) count *= static_cast<std::size_t>(n);

    Entry entry;
    entry.bytes.resize(count * elementSize(dtype));
    const auto seed = m_seed ^ hash(name);
    if (scale) {
        fillConstant(entry.bytes.data(), count, kDeviation / kF8Deviation);
    } else if (name.ends_with("norm.weight")) {
        fillConstant(entry.bytes.data(), count, 1);
    } else {
        fillTensor(entry.bytes.data(), dtype, count, seed);
    }
    entry.view = {.name = name,
                  .dtype = gatescope::name(dtype),
                  .shape = shape,
                  .bytes = {entry.bytes},
                  .file = describe()};
    return entry;
}

std::uint64_t RandomWeights::parameters() const {
    std::uint64_t sum = 0;
    for (const auto& [name, shape] : m_shapes) {
        if (name.ends_with("_scale_inv")) continue;
        std::uint64_t count = 1;
        for (const auto n : shape) count *= static_cast<std::uint64_t>(n);
        sum += count;
    }
    return sum;
}

std::uint64_t RandomWeights::weightBytes() const {
    std::uint64_t sum = 0;
    for (const auto& [name, entry] : m_made) sum += entry.bytes.size();
    return sum;
}

}  // namespace gatescope
