// SPDX-License-Identifier: Apache-2.0
#include "engine/model/mtp_module.h"

#include "engine/error.h"

namespace gatescope {

MtpModule::MtpModule(Decoder& decoder)
    : m_decoder(decoder),
      m_cache(decoder.device(), 1, decoder.config().latentWidth()),
      m_routing(decoder.device(), decoder.config().nRoutedExperts,
                decoder.config().numExpertsPerTok),
      m_joined(decoder.device()),
      m_residual(decoder.device()),
      m_normed(decoder.device()) {}

void MtpModule::forward(ConstMatrix states, std::span<const std::int32_t> nextTokens,
                        const ForwardOptions& options) {
    m_decoder.checkTokens(nextTokens);
    if (options.stop.stop_requested()) throw Cancelled();
    auto& device = m_decoder.device();
    const auto& weights = *m_decoder.weights().mtp;
    const auto eps = m_decoder.m_layerParams.rmsNormEps;
    const auto h = m_decoder.config().hiddenSize;
    const auto first = m_cache.length();
    const auto count = static_cast<std::int64_t>(nextTokens.size());
    reserve(first + count);
    // Rotary attention sees differences of positions only, so pair t may stand at position t.
    auto step = m_decoder.begin(nextTokens, first, options.path);

    // The released eh_proj takes the embedding's half first, the reverse of the report's equation.
    auto joined = matrix(m_joined, count, 2 * h);
    auto embedding = joined.columns(0, h);
    device.embed(embedding, weights.embedding, m_decoder.m_ids.data());
    device.rmsNorm(embedding, embedding, weights.embeddingNorm.data(), eps);
    device.rmsNorm(joined.columns(h, h), states, weights.hiddenNorm.data(), eps);
    auto x = matrix(m_residual, count, h);
    device.matmul(x, joined, weights.project);

    m_routing.begin(1, count);
    decoderLayer(x, weights.layer, m_decoder.m_layerParams, m_cache.view(0), m_routing.slot(0),
                 step);
    const int layer = m_decoder.config().mtpLayer();
    m_decoder.showHidden(options.observer, layer + 1, x);
    auto normed = matrix(m_normed, count, h);
    device.rmsNorm(normed, x, weights.headNorm.data(), eps);
    m_decoder.project(m_logits, normed, weights.head, options.logits);
    m_cache.setLength(first + count);
    if (options.observer && options.observer->wantsRouting() && weights.layer.moe)
        m_routing.report(*options.observer, {&layer, 1});
}

std::span<const float> MtpModule::logits(std::int64_t row) const {
    const auto vocab = static_cast<std::size_t>(m_decoder.config().vocabSize);
    return std::span(m_logits).subspan(static_cast<std::size_t>(row) * vocab, vocab);
}

}  // namespace gatescope
