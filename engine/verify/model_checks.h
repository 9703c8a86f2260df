// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/checkpoint/json.h"
#include "engine/model/loaded_model.h"
#include "engine/verify/check.h"
#include "engine/verify/golden_model.h"

namespace gatescope {

/// Logits, hidden states, latent cache, routing, likelihoods and (with the golden answer as input)
/// greedy tokens and drafts, each on both attention paths.
void checkArrays(LoadedModel& model, const GoldenModel& golden, const CheckSink& sink);

/// Layer numbers, correction bias and rotary constants.
void checkConstants(LoadedModel& model, const GoldenModel& golden, const CheckSink& sink);

/// The generation loop: greedy text with and without drafts, each draft and its fate, and the
/// number of forward passes of the main model.
void checkGeneration(LoadedModel& model, const GoldenModel& golden, const CheckSink& sink);

/// text.json: text to ids, greedy ids, their text, and what may be printed after each.
void checkText(LoadedModel& model, const std::string& name, const JsonValue& json,
               const CheckSink& sink);

/// routing.json: how often each expert is chosen and which choices the bias decided, as the
/// recorder sees it.
void checkRecordedRouting(LoadedModel& model, const GoldenModel& golden, const JsonValue& json,
                          const CheckSink& sink);

}  // namespace gatescope
