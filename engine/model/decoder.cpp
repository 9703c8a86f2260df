// SPDX-License-Identifier: Apache-2.0
#include "engine/model/decoder.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "engine/error.h"
#include "engine/model/mtp_module.h"
#include "engine/model/router.h"

namespace gatescope {

Decoder::Decoder(const WeightSource& source, Device& device, std::int64_t maxContext,
                 const Progress& progress)
    : m_source(&source),
      m_device(&device),
      m_config(source.config()),
      m_routingShape(gatescope::routingShape(m_config)),
      m_maxContext(maxContext > 0 ? std::min(maxContext, m_config.maxPositionEmbeddings)
                                  : m_config.maxPositionEmbeddings),
      m_weights(std::make_unique<DecoderWeights>(source, device, progress)),
      m_rope(m_config),
      m_layerParams(m_config, m_rope.softmaxScale()),
      m_cache(device, m_config.numHiddenLayers, m_config.latentWidth()),
      m_work(device),
      m_routing(device, m_config.nRoutedExperts, m_config.numExpertsPerTok),
      m_ids(device),
      m_cosSin(device),
      m_residual(device),
      m_finalNormed(device),
      m_deviceLogits(device) {
    if (m_weights->mtp) m_mtp = std::make_unique<MtpModule>(*this);
}

Decoder::~Decoder() = default;

void Decoder::truncate(std::int64_t length, std::int64_t pairs) {
    m_cache.setLength(std::min(length, m_cache.length()));
    m_tokens.resize(static_cast<std::size_t>(m_cache.length()));
    if (m_mtp) m_mtp->truncate(std::max<std::int64_t>(0, pairs));
}

CacheUse Decoder::cacheUse() const {
    const auto expandedPerLayer = m_config.numAttentionHeads *
                                  (m_config.qkHeadDim() + m_config.vHeadDim) *
                                  static_cast<std::int64_t>(sizeof(float));
    CacheUse use;
    use.positions = m_cache.length();
    use.bytesPerPosition = m_cache.bytesPerPosition();
    use.used = use.positions * use.bytesPerPosition;
    use.reserved = m_cache.reserved() * use.bytesPerPosition;
    use.expandedBytesPerPosition = expandedPerLayer * m_config.numHiddenLayers;
    use.maxPositions = m_maxContext;
    if (m_mtp) {
        const auto& cache = m_mtp->cache();
        use.mtpPositions = cache.length();
        use.mtpBytesPerPosition = cache.bytesPerPosition();
        use.mtpUsed = use.mtpPositions * use.mtpBytesPerPosition;
        use.mtpReserved = cache.reserved() * use.mtpBytesPerPosition;
    }
    return use;
}

void Decoder::checkTokens(std::span<const std::int32_t> tokens) const {
    if (tokens.empty() || static_cast<std::int64_t>(tokens.size()) > kMaxPass)
        throw std::logic_error("a pass takes 1 to kMaxPass tokens");
    for (const auto id : tokens)
        if (id < 0 || id >= m_config.vocabSize)
            throw Error(fmt::format("token {} is not in the model's vocabulary of {}", id,
                                    m_config.vocabSize));
}

StepContext Decoder::begin(std::span<const std::int32_t> tokens, std::int64_t first,
                           AttentionPath path) {
    const auto count = static_cast<std::int64_t>(tokens.size());
    const auto angles = static_cast<std::size_t>(count * m_config.qkRopeHeadDim);
    m_hostCosSin.resize(angles);
    m_rope.fill(m_hostCosSin.data(), first, count);
    float* cosSin = m_cosSin.require(angles);
    m_device->upload(cosSin, m_hostCosSin.data(), angles * sizeof(float));
    m_device->upload(m_ids.require(tokens.size()), tokens.data(), tokens.size_bytes());
    return {*m_device, m_work, path, first, count, cosSin};
}

void Decoder::forward(std::span<const std::int32_t> tokens, const ForwardOptions& options) {
    checkTokens(tokens);
    const auto first = m_cache.length();
    const auto count = static_cast<std::int64_t>(tokens.size());
    if (first + count > m_maxContext)
        throw Error(fmt::format("the context of {} tokens is full", m_maxContext));
    reserveCache(first + count);
    auto step = begin(tokens, first, options.path);
    auto x = matrix(m_residual, count, m_config.hiddenSize);
    m_device->embed(x, m_weights->embedding, m_ids.data());
    showHidden(options.observer, 0, x);

    const auto moeLayers = static_cast<int>(m_routingShape.layers.size());
    m_routing.begin(moeLayers, count);
    int slot = 0;
    for (int i = 0; i < m_config.numHiddenLayers; ++i) {
        if (options.stop.stop_requested()) throw Cancelled();
        const auto& layer = m_weights->layers[static_cast<std::size_t>(i)];
        const auto routing = layer.moe ? m_routing.slot(slot++) : Routing{};
        decoderLayer(x, layer, m_layerParams, m_cache.view(i), routing, step);
        showHidden(options.observer, i + 1, x);
    }
    m_states = matrix(m_finalNormed, count, m_config.hiddenSize);
    m_device->rmsNorm(m_states, x, m_weights->norm.data(), m_layerParams.rmsNormEps);
    project(m_logits, m_states, m_weights->head, options.logits);
    m_cache.setLength(first + count);
    m_tokens.insert(m_tokens.end(), tokens.begin(), tokens.end());

    if (!options.observer) return;
    if (options.observer->wantsHidden()) {
        m_device->synchronize();
        options.observer->onNormed(m_states);
    }
    if (options.observer->wantsRouting() && moeLayers > 0)
        m_routing.report(*options.observer, m_routingShape.layers);
}

void Decoder::reserveCache(std::int64_t positions) {
    try {
        m_cache.reserve(positions);
        if (m_mtp) m_mtp->reserve(positions);
    } catch (const std::bad_alloc&) {
        throw Error(fmt::format("not enough memory for the latent cache of {} tokens ({} MiB)",
                                positions, positions * m_cache.bytesPerPosition() / (1 << 20)));
    }
}

void Decoder::project(std::vector<float>& out, ConstMatrix normed, const Weight& head,
                      LogitsOf which) {
    out.clear();
    if (which == LogitsOf::None) return;
    const auto rows = which == LogitsOf::All ? normed.rows : 1;
    auto logits = matrix(m_deviceLogits, rows, m_config.vocabSize);
    m_device->matmul(logits, normed.slice(normed.rows - rows, rows), head);
    out.resize(static_cast<std::size_t>(rows * m_config.vocabSize));
    m_device->synchronize();
    m_device->download(out.data(), logits.data, out.size() * sizeof(float));
    // A not-finite weight anywhere reaches the logits of the tokens that use it.
    if (!std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); }))
        failNotFinite();
}

void Decoder::showHidden(ForwardObserver* observer, int index, ConstMatrix hidden) {
    if (!observer || !observer->wantsHidden()) return;
    std::vector<float> host(static_cast<std::size_t>(hidden.rows * hidden.cols));
    m_device->synchronize();
    m_device->download(host.data(), hidden.data, host.size() * sizeof(float));
    observer->onHidden(index, {host.data(), hidden.rows, hidden.cols});
}

void Decoder::failNotFinite() const {
    if (const auto culprit = findNonFinite(*m_source)) throw Error(*culprit);
    throw Error(fmt::format(
        "{}: a forward pass overflowed: the logits are not finite although every weight is",
        m_source->describe()));
}

std::span<const float> Decoder::logits(std::int64_t row) const {
    return std::span(m_logits).subspan(static_cast<std::size_t>(row * m_config.vocabSize),
                                       static_cast<std::size_t>(m_config.vocabSize));
}

}  // namespace gatescope
