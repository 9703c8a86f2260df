// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>

#include "engine/trace/step_trace.h"

namespace gatescope {

class Decoder;

/// Which token to compute once more, for what was not kept of it.
struct ReplayRequest {
    /// The context: the tokens up to `position` at least. The MTP pair there needs one more.
    std::span<const std::int32_t> ids;
    std::int32_t position = 0;
    /// The phase in which each of `ids` passed the main layers, as recorded (RoutedToken::phase):
    /// prefill attends to expanded keys, decode to the latent rows themselves, and on some devices
    /// the two differ in the last bit. Empty or shorter than ids: the rest as in a prompt.
    std::span<const Phase> phases{};
    bool mtp = true;  ///< also the MTP pair, where there is a module and a next token
};

/// A token's routing with the affinities of all experts.
struct ReplayedToken {
    RoutedToken main;
    std::optional<RoutedToken> mtp;
    std::int64_t computed = 0;  ///< positions that went through the main layers for it
};

/// Computes the routing of one token again, from the tokens before it. What the decoder's cache
/// holds of them is used; the rest is computed in passes. A cache that held the token is left as it
/// was, to the bit; another one then stands for the tokens up to `position`, and a following
/// generate() goes on from there. Under exact precision the result is what was recorded when the
/// token passed first (its context, the phases and the device being the same).
///
/// `isSpecial` may be empty. Throws Error (position out of range, a token not in the vocabulary,
/// no MoE layers, context too long) or Cancelled.
ReplayedToken replayToken(Decoder& decoder, const ReplayRequest& request,
                          const std::function<bool(std::int32_t id)>& isSpecial = {},
                          std::stop_token stop = {});

}  // namespace gatescope
