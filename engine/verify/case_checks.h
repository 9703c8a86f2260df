// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "engine/checkpoint/json.h"
#include "engine/verify/check.h"
#include "kernels/device.h"

namespace gatescope {

/// routing_cases.json: router logits to scores, chosen experts and gate weights.
void checkRoutingCases(Device& device, const JsonValue& json, const CheckSink& sink);

/// tokenizer/cases.json with the tokenizer beside it: pieces, ids, decoded bytes and text, what a
/// stream may print, and bytes that are not UTF-8.
void checkTokenizerCases(const std::filesystem::path& dir, const CheckSink& sink);

}  // namespace gatescope
