// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "engine/model/loaded_model.h"
#include "engine/verify/check.h"

namespace gatescope {

/// Compares the engine with a folder of golden data and hands every comparison to `sink`, in order.
/// What is there decides what is checked:
///
///     ckpt/NAME and golden/NAME/{golden.safetensors, golden.json, text.json}
///     routing.json (its "model" among those), routing_cases.json, tokenizer/cases.json
///
/// The limits are those of the arithmetic that was asked for (tolerances.h); constants, router
/// cases and tokenizer cases are held to the same limits in all of them. With `only`, the model of
/// that name and nothing else. Throws Error when a file cannot be used, or when nothing in the
/// folder could be compared.
void verifyGolden(const std::filesystem::path& dir, const LoadOptions& options,
                  const CheckSink& sink, const std::string& only = {});

}  // namespace gatescope
