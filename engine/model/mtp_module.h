// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/decoder.h"

namespace gatescope {

/// The multi-token-prediction module (DeepSeek-V3 report, 2.2): pair t joins the main model's state
/// after the final norm at position t with the embedding of token t + 1, passes one decoder layer
/// with its own latent cache, and predicts token t + 2. It shares the decoder's scratch memory.
class MtpModule {
  public:
    explicit MtpModule(Decoder& decoder);

    /// Pairs in the cache; the next pair joins the state at position length() with token length()
    /// + 1.
    std::int64_t length() const { return m_cache.length(); }
    const LatentCache& cache() const { return m_cache; }
    void truncate(std::int64_t pairs) { m_cache.setLength(std::min(pairs, m_cache.length())); }

    void reserve(std::int64_t pairs) { m_cache.reserve(pairs); }
    /// Appends pairs: states [T, h] in device memory (rows of Decoder::states()), nextTokens [T].
    /// Throws as Decoder::forward does; the cache then ends where it ended before.
    void forward(ConstMatrix states, std::span<const std::int32_t> nextTokens,
                 const ForwardOptions& options);
    /// Appends pairs without computing what they predict: the one layer's cache rows depend on
    /// nothing but states and tokens. A small part of forward()'s work; nothing of it is routed.
    void fill(ConstMatrix states, std::span<const std::int32_t> nextTokens,
              const ForwardOptions& options);

    /// Logits of the last pass, [rows, vocab_size] in host memory.
    std::span<const float> logits() const { return m_logits.whole(); }
    std::span<const float> logits(std::int64_t row) const { return m_logits.row(row); }
    TopRow top(std::int64_t row) const { return m_logits.top(row); }
    /// Of the last pass, [T, h] in device memory: the block's output after shared_head.norm, and
    /// before it. What a chained draft may continue from; the next pass overwrites both.
    ConstMatrix normedStates() const { return m_normedStates; }
    ConstMatrix rawStates() const { return m_rawStates; }

  private:
    friend class KeptCache;

    /// x [T, h] becomes the input of the block, and its norm is returned.
    Matrix join(Matrix x, ConstMatrix states, StepContext& step);
    /// x [T, h] becomes the output of the block, m_normed its norm.
    void runLayer(Matrix x, ConstMatrix states, StepContext& step);

    Decoder& m_decoder;
    LatentCache m_cache;
    StepRouting m_routing;
    DeviceBuffer<float> m_joined;  ///< [T, 2h]: normed embedding, normed state
    DeviceBuffer<float> m_residual;
    DeviceBuffer<float> m_layerNormed;
    DeviceBuffer<float> m_normed;
    LogitsReader m_logits;
    Matrix m_normedStates;
    Matrix m_rawStates;
};

}  // namespace gatescope
