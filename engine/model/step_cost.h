// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/checkpoint/weight_source.h"
#include "kernels/latent_layout.h"

namespace gatescope {

// What a pass of the main model cannot do without, from the model's sizes alone: a measured time is
// compared with it. Norms, biases and activations are left out; they are below a thousandth.

/// Bytes a decode step of one token has to move at least once.
struct DecodeBytes {
    /// Weights as stored, block scales included: attention, dense MLPs, routers, shared experts,
    /// num_experts_per_tok routed experts a layer, head, one row of the embedding.
    std::uint64_t weights = 0;
    std::uint64_t cache = 0;   ///< the latent rows of every layer, the token's own included
    std::uint64_t logits = 0;  ///< one row in float32

    std::uint64_t total() const { return weights + cache + logits; }
};

/// `rows`: cache rows the token attends to, its own included.
DecodeBytes decodeBytes(const WeightSource& source, CacheType cache, std::int64_t rows);

/// The part of it that latent attention moves: kv_b_proj and the cache rows, in all layers.
std::uint64_t latentAttentionBytes(const WeightSource& source, CacheType cache, std::int64_t rows);

/// Multiply-adds of a prefill of `tokens` tokens with `depth` positions before them, with logits of
/// the last one: every weight a token uses once for each token; keys and values of all
/// depth + tokens positions expanded once; attention for each pair of a query and a position it
/// sees.
std::uint64_t prefillMultiplyAdds(const ModelConfig& config, std::int64_t tokens,
                                  std::int64_t depth);

}  // namespace gatescope
