// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <stop_token>

#include "engine/decode/generation.h"

namespace gatescope {

class Decoder;
class Tokenizer;

/// Continues `prompt` by GenerationParams: prefill in passes (what the decoder's cache already
/// holds of the prompt is not computed again), then token by token, with MTP drafts verified if
/// asked for. Greedy and seeded sampling give the same tokens with and without drafts, with and
/// without the recorder, for any number of threads.
///
/// Runs under params.interventions, or none; the decoder keeps them, and its cache, until the next
/// call. Traces then fit Decoder::runShape().
///
/// `tokenizer` may be null: then no text is made and stop strings are ignored. Throws Error; being
/// stopped is a result (Finish::Cancelled), and so is a full context.
GenerationResult generate(Decoder& decoder, const Tokenizer* tokenizer,
                          std::span<const std::int32_t> prompt, const GenerationParams& params,
                          GenerationSink& sink, std::stop_token stop = {});

}  // namespace gatescope
