// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/decode/generation.h"
#include "engine/trace/step_trace.h"

// The JSON columns of a session file. Their keys are in docs/session-schema.md. Reading throws
// Error naming what is wrong; keys that are not there keep their defaults, unknown ones are
// ignored.

namespace gatescope {

std::string settingsToJson(const GenerationParams& params);
GenerationParams settingsFromJson(const std::string& json);

std::string shapeToJson(const RoutingShape& shape);
RoutingShape shapeFromJson(const std::string& json);

/// Speculation, timing and cache of a result; ids, text and finish have columns of their own.
std::string resultToJson(const GenerationResult& result);
void resultFromJson(const std::string& json, GenerationResult& result);

}  // namespace gatescope
