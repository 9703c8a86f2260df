// SPDX-License-Identifier: Apache-2.0
#include "engine/model/decoder.h"

#include <algorithm>
#include <new>

#include "engine/error.h"
#include "engine/model/mtp_module.h"
#include "engine/model/router.h"

namespace gatescope {

Decoder::Decoder(const WeightSource& source, Device& device, const DecoderOptions& options,
                 const Progress& progress)
    : m_source(&source),
      m_device(&device),
      m_config(source.config()),
      m_routingShape(gatescope::routingShape(m_config)),
      m_maxContext(options.maxContext > 0
                       ? std::min(options.maxContext, m_config.maxPositionEmbeddings)
                       : m_config.maxPositionEmbeddings),
      m_maxPass(device.preferredPass()),
      m_hostExpertLayers(options.experts.hostLayers),
      m_weights(std::make_unique<DecoderWeights>(source, device, options.experts, progress)),
      m_rope(m_config),
      m_layerParams(m_config, m_rope.softmaxScale()),
      m_runRouting(m_config, *m_weights, device),
      m_cache(device, m_config.numHiddenLayers,
              {options.cacheType, m_config.kvLoraRank, m_config.qkRopeHeadDim}, m_maxContext),
      m_work(device),
      m_routing(device, m_config.nRoutedExperts),
      m_inputs(device, m_config.qkRopeHeadDim),
      m_residual(device),
      m_layerNormed(device),
      m_finalNormed(device),
      m_logits(device) {
    if (m_weights->mtp) m_mtp = std::make_unique<MtpModule>(*this);
}

Decoder::~Decoder() = default;

void Decoder::truncateMain(std::int64_t length) {
    m_cache.setLength(std::min(length, m_cache.length()));
    m_tokens.resize(static_cast<std::size_t>(m_cache.length()));
}

void Decoder::truncate(std::int64_t length, std::int64_t pairs) {
    truncateMain(length);
    if (m_mtp) m_mtp->truncate(std::max<std::int64_t>(0, pairs));
}

void Decoder::setInterventions(const Interventions& interventions, CacheAfter cache) {
    const auto& now = m_runRouting.interventions();
    if (interventions == now || (interventions.empty() && now.empty())) return;
    m_runRouting.set(interventions);
    if (cache == CacheAfter::Emptied) truncate(0);
}

CacheUse Decoder::cacheUse() const {
    // The same cache type, expanded: what a scale or padding adds is left out.
    const auto valueBytes = m_cache.layout().type == CacheType::F32    ? 4
                            : m_cache.layout().type == CacheType::BF16 ? 2
                                                                       : 1;
    const auto expandedPerLayer =
        m_config.numAttentionHeads * (m_config.qkHeadDim() + m_config.vHeadDim) * valueBytes;
    CacheUse use;
    use.positions = m_cache.length();
    use.bytesPerPosition = m_cache.bytesPerPosition();
    use.used = use.positions * use.bytesPerPosition;
    use.reserved = m_cache.reserved() * use.bytesPerPosition;
    use.expandedBytesPerPosition = expandedPerLayer * m_config.numHiddenLayers;
    use.maxPositions = m_maxContext;
    use.dtype = name(m_cache.layout().type);
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
    if (tokens.empty() || static_cast<std::int64_t>(tokens.size()) > m_maxPass)
        throw std::logic_error("a pass takes 1 to maxPass() tokens");
    for (const auto id : tokens)
        if (id < 0 || id >= m_config.vocabSize)
            throw Error(fmt::format("token {} is not in the model's vocabulary of {}", id,
                                    m_config.vocabSize));
}

StepContext Decoder::begin(std::span<const std::int32_t> tokens, const LatentCache& cache,
                           AttentionPath path) {
    m_inputs.upload(*m_device, m_rope, tokens, cache.length());
    return {*m_device,
            m_work,
            path,
            {cache.length(), m_inputs.first(), cache.stepCapacity()},
            static_cast<std::int64_t>(tokens.size()),
            m_inputs.cosSin()};
}

void Decoder::runStep(StepKey key, const StepContext& step, const ForwardOptions& options,
                      const std::function<void()>& operations) {
    const bool looksInside = options.observer && options.observer->wantsHidden();
    if (looksInside || m_hostExpertLayers > 0) return operations();
    key.tokens = step.count;
    key.capacity = step.position.capacity;
    key.logitRows = options.logits == LogitsOf::All ? step.count : options.logits == LogitsOf::Last;
    key.topLogits = options.top.k;
    key.topLimit = options.top.limit;
    key.routing = m_runRouting.id();
    key.absorbed = step.path == AttentionPath::Absorbed;
    m_device->runStep(key, operations);
}

void Decoder::checkStop(const ForwardOptions& options, const StepContext& step) const {
    if (step.path == AttentionPath::Expanded) m_device->synchronize();
    if (options.stop.stop_requested()) throw Cancelled();
}

void Decoder::forward(std::span<const std::int32_t> tokens, const ForwardOptions& options) {
    checkTokens(tokens);
    if (options.stop.stop_requested()) throw Cancelled();
    const auto first = m_cache.length();
    const auto count = static_cast<std::int64_t>(tokens.size());
    if (first + count > m_maxContext)
        throw Error(fmt::format("the context of {} tokens is full", m_maxContext));
    reserveCache(first + count);
    auto step = begin(tokens, m_cache, options.path);
    auto x = matrix(m_residual, count, m_config.hiddenSize);
    m_states = matrix(m_finalNormed, count, m_config.hiddenSize);
    m_routing.begin(m_routingShape.layers, count, m_runRouting);
    runStep({.owner = this}, step, options, [&] {
        m_device->embed(x, m_weights->embedding, m_inputs.ids());
        showHidden(options.observer, 0, x);
        runLayers(x, options, step);
        m_logits.project(m_states, m_weights->head, options.logits, options.top);
    });
    // A not-finite weight anywhere reaches the logits of the tokens that use it.
    if (!m_logits.fetch(count, m_config.vocabSize, options.logits, options.top)) failNotFinite();
    m_cache.setLength(first + count);
    m_tokens.insert(m_tokens.end(), tokens.begin(), tokens.end());

    if (!options.observer) return;
    if (options.observer->wantsHidden()) {
        const auto normed = onHost(m_states);
        options.observer->onNormed({normed.data(), m_states.rows, m_states.cols});
    }
    if (options.observer->wantsRouting() && !m_routingShape.layers.empty())
        m_routing.report(*options.observer);
}

void Decoder::runLayers(Matrix x, const ForwardOptions& options, StepContext& step) {
    const auto& layers = m_weights->layers;
    auto normed = matrix(m_layerNormed, x.rows, x.cols);
    m_device->rmsNorm(normed, x, layers[0].inputNorm.data(), m_layerParams.rmsNormEps);
    int slot = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        checkStop(options, step);
        const bool last = i + 1 == layers.size();
        const FollowingNorm following = last
                                            ? FollowingNorm{m_weights->norm.data(), m_states}
                                            : FollowingNorm{layers[i + 1].inputNorm.data(), normed};
        const int layer = static_cast<int>(i);
        const auto routing = layers[i].moe ? m_routing.slot(slot++) : Routing{};
        decoderLayer(x, normed, layers[i], m_layerParams, m_cache.view(layer),
                     m_runRouting.route(layer), routing, following, step);
        showHidden(options.observer, layer + 1, x);
    }
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

std::vector<float> Decoder::onHost(ConstMatrix values) const {
    std::vector<float> host(static_cast<std::size_t>(values.rows * values.cols));
    m_device->download(host.data(), values.data, host.size() * sizeof(float));
    return host;
}

void Decoder::showHidden(ForwardObserver* observer, int index, ConstMatrix hidden) {
    if (!observer || !observer->wantsHidden()) return;
    const auto host = onHost(hidden);
    observer->onHidden(index, {host.data(), hidden.rows, hidden.cols});
}

void Decoder::failNotFinite() const {
    if (const auto culprit = findNonFinite(*m_source)) throw Error(*culprit);
    throw Error(fmt::format(
        "{}: a forward pass overflowed: the logits are not finite although every weight is",
        m_source->describe()));
}

}  // namespace gatescope
