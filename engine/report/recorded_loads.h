// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/analysis/placement.h"

namespace gatescope {

/// How often each expert of each MoE layer was chosen, as somebody recorded it.
struct RecordedLoads {
    /// [L] absolute index in the model of each row (the first MoE layer of DeepSeek-V3 is 3),
    /// ascending; empty: the source does not say.
    std::vector<int> layers;
    /// Pieces of the traffic in the order of time, at least one, all [L, E].
    std::vector<ExpertLoads> blocks;
    std::string format;  ///< what it was read as: "SGLang recorder dump"

    /// All pieces together.
    ExpertLoads total() const;
    int layerCount() const { return blocks.empty() ? 0 : blocks.front().layers; }
    int experts() const { return blocks.empty() ? 0 : blocks.front().experts; }
};

/// Reads recorded loads from a file or folder; what it is is found out from its content, not its
/// name. Throws Error, one sentence naming file, item and cause.
RecordedLoads readRecordedLoads(const std::filesystem::path& path);

}  // namespace gatescope
