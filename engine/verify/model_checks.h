// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/checkpoint/json.h"
#include "engine/model/loaded_model.h"
#include "engine/verify/check.h"
#include "engine/verify/golden_model.h"
#include "engine/verify/tolerances.h"

namespace gatescope {

/// Logits, hidden states, latent cache, routing, likelihoods and (with the golden answer as input)
/// greedy tokens and drafts, each on both attention paths; of these what the class of tolerances
/// has limits for.
void checkArrays(Decoder& decoder, const GoldenModel& golden, Tolerance tolerance,
                 const CheckSink& sink);

/// Layer numbers, correction bias and rotary constants.
void checkConstants(LoadedModel& model, const GoldenModel& golden, const CheckSink& sink);

/// The generation loop in float32: greedy text with and without drafts, each draft and its fate,
/// and the number of forward passes of the main model.
void checkGeneration(LoadedModel& model, const GoldenModel& golden, const CheckSink& sink);

/// The generation loop where the text may leave the golden one: recording must not change it, and
/// in exact arithmetic neither must drafts.
void checkOwnText(Decoder& decoder, const GoldenModel& golden, const CheckSink& sink);

/// text.json: text to ids, ids to text, what may be printed after each, and (in float32) the greedy
/// ids.
void checkText(LoadedModel& model, const std::string& name, const JsonValue& json,
               Tolerance tolerance, const CheckSink& sink);

/// routing.json: how often each expert is chosen and which choices the bias decided, as the
/// recorder sees it. Float32 arithmetic only.
void checkRecordedRouting(LoadedModel& model, const GoldenModel& golden, const JsonValue& json,
                          const CheckSink& sink);

}  // namespace gatescope
