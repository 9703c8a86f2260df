// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <stop_token>

#include "engine/decode/generation.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

class Decoder;
class SpeculationMemory;
class Tokenizer;

/// Continues `prompt` by GenerationParams: prefill in passes (what the decoder's cache already
/// holds of the prompt is not computed again), then step by step: drafts are made if asked for, and
/// one pass of the main model verifies all of a step. Under exact precision greedy and seeded
/// sampling give the same tokens with and without drafts from any source, with and without the
/// recorder, for any number of threads; under fast a pass of several positions may round otherwise
/// than one of one, and near-ties may flip.
///
/// Runs under params.interventions, or none; the decoder keeps them, and its cache, until the next
/// call. Traces then fit Decoder::runShape().
///
/// `tokenizer` may be null: then no text is made and stop strings are ignored. Throws Error; being
/// stopped is a result (Finish::Cancelled), and so is a full context.
///
/// `memory`: what Speculate::Auto learned in earlier answers with this decoder, and learns in this
/// one; null: it begins anew.
///
/// `given`: the answer begins with these tokens, which are told to the sink first (their step is
/// kGivenStep), go through the model like a prompt and count towards the limit of new tokens.
/// Greedy and under exact precision, an answer given its own beginning ends as it did.
GenerationResult generate(Decoder& decoder, const Tokenizer* tokenizer,
                          std::span<const std::int32_t> prompt, const GenerationParams& params,
                          GenerationSink& sink, std::stop_token stop = {},
                          SpeculationMemory* memory = nullptr,
                          std::span<const TokenEvent> given = {});

}  // namespace gatescope
