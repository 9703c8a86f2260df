// SPDX-License-Identifier: Apache-2.0
#include "engine/model/mtp_module.h"

#include "engine/error.h"
#include "engine/model/attention.h"

namespace gatescope {

MtpModule::MtpModule(Decoder& decoder)
    : m_decoder(decoder),
      m_cache(decoder.device(), 1, decoder.cache().layout(), decoder.maxContext()),
      m_routing(decoder.device(), decoder.config().nRoutedExperts),
      m_joined(decoder.device()),
      m_residual(decoder.device()),
      m_layerNormed(decoder.device()),
      m_normed(decoder.device()),
      m_logits(decoder.device()) {}

void MtpModule::forward(ConstMatrix states, std::span<const std::int32_t> nextTokens,
                        const ForwardOptions& options) {
    m_decoder.checkTokens(nextTokens);
    if (options.stop.stop_requested()) throw Cancelled();
    const auto& weights = *m_decoder.weights().mtp;
    const auto& config = m_decoder.config();
    const auto first = m_cache.length();
    const auto count = static_cast<std::int64_t>(nextTokens.size());
    reserve(first + count);
    // Rotary attention sees differences of positions only, so pair t may stand at position t.
    auto step = m_decoder.begin(nextTokens, m_cache, options.path);
    auto x = matrix(m_residual, count, config.hiddenSize);
    m_rawStates = x;
    m_normedStates = matrix(m_normed, count, config.hiddenSize);
    const int layer = config.mtpLayer();
    m_routing.begin({&layer, 1}, count, m_decoder.runRouting());
    m_decoder.runStep({.owner = this, .input = states.data}, step, options, [&] {
        runLayer(x, states, step);
        m_logits.project(m_normedStates, weights.head, options.logits, options.top);
    });
    m_decoder.showHidden(options.observer, layer + 1, x);
    if (!m_logits.fetch(count, config.vocabSize, options.logits, options.top))
        m_decoder.failNotFinite();
    m_cache.setLength(first + count);
    if (options.observer && options.observer->wantsRouting() && weights.layer.moe)
        m_routing.report(*options.observer);
}

void MtpModule::fill(ConstMatrix states, std::span<const std::int32_t> nextTokens,
                     const ForwardOptions& options) {
    m_decoder.checkTokens(nextTokens);
    if (options.stop.stop_requested()) throw Cancelled();
    const auto first = m_cache.length();
    const auto count = static_cast<std::int64_t>(nextTokens.size());
    reserve(first + count);
    auto step = m_decoder.begin(nextTokens, m_cache, AttentionPath::Expanded);
    const auto normed =
        join(matrix(m_residual, count, m_decoder.config().hiddenSize), states, step);
    appendLatent(normed, m_decoder.weights().mtp->layer.attention,
                 m_decoder.m_layerParams.attention, m_cache.view(0), step);
    m_decoder.device().synchronize();
    m_cache.setLength(first + count);
}

Matrix MtpModule::join(Matrix x, ConstMatrix states, StepContext& step) {
    auto& device = step.device;
    const auto& weights = *m_decoder.weights().mtp;
    const auto eps = m_decoder.m_layerParams.rmsNormEps;
    // The released eh_proj takes the embedding's half first, the reverse of the report's equation.
    auto joined = matrix(m_joined, x.rows, 2 * x.cols);
    auto embedding = joined.columns(0, x.cols);
    device.embed(embedding, weights.embedding, m_decoder.m_inputs.ids());
    device.rmsNorm(embedding, embedding, weights.embeddingNorm.data(), eps);
    device.rmsNorm(joined.columns(x.cols, x.cols), states, weights.hiddenNorm.data(), eps);
    device.matmul(x, joined, weights.project);

    auto normed = matrix(m_layerNormed, x.rows, x.cols);
    device.rmsNorm(normed, x, weights.layer.inputNorm.data(), eps);
    return normed;
}

void MtpModule::runLayer(Matrix x, ConstMatrix states, StepContext& step) {
    const auto& weights = *m_decoder.weights().mtp;
    const auto normed = join(x, states, step);
    decoderLayer(x, normed, weights.layer, m_decoder.m_layerParams, m_cache.view(0),
                 m_decoder.runRouting().route(m_decoder.config().mtpLayer()), m_routing.slot(0),
                 {weights.headNorm.data(), m_normedStates}, step);
}

}  // namespace gatescope
