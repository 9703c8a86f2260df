// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/decode/generation.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// One prompt with its answer, as the model saw and routed it.
struct ComparedAnswer {
    std::int64_t session = -1;  ///< number in the session file; -1: not from one
    int turn = 0;
    std::string prompt;  ///< the message, for people
    std::vector<std::int32_t> promptIds;
    std::vector<TokenEvent> tokens;  ///< generated
    /// With routing. Positions that the cache still held were not routed again and are missing.
    std::vector<StepTrace> steps;
    std::optional<GenerationResult> result;  ///< of an answer that ended
    /// What the answer changed about the model's routing; null: nothing.
    std::shared_ptr<const Interventions> interventions;
};

/// One side of a comparison: answers of one model under one set of settings, one or many.
struct ComparedRun {
    std::string label;  ///< short, for columns: "A", "B", ...
    std::string title;  ///< for people
    std::string modelName;
    std::string modelPath;
    std::string modelFingerprint;
    std::string device;
    std::string precision;
    /// What the answers were made with, one line, e.g. "temperature 0.6 · seed 1 · mtp"; differing
    /// settings within the run are named as such.
    std::string settings;
    /// What the run changed about the model's routing, one line; empty: nothing.
    std::string interventions;
    RoutingShape shape;  ///< of the run (k as under its interventions)
    std::vector<ComparedAnswer> answers;
};

}  // namespace gatescope
