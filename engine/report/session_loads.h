// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/progress.h"
#include "engine/report/recorded_loads.h"
#include "engine/session/session_store.h"

namespace gatescope {

/// What the experts of the main model's layers had to do in stored sessions: prompt and answer
/// positions, special tokens too, for a serving engine computes all of them. Left out are rejected
/// drafts and answers that were taken back. A block is one answer with what it computed of its
/// prompt, or several that follow each other, at most kMostLoadBlocks. No session named: all that
/// are not deleted. Throws Error where a session is not there, where two have other layers or
/// experts, and where nothing was recorded.
RecordedLoads sessionLoads(const SessionStore& store, std::span<const std::int64_t> sessions);

/// What sessions recorded, and the model that they say they ran.
struct SessionTraffic {
    RecordedLoads loads;
    SessionInfo model;  ///< of the first session that counts
};
/// The same with the model. Throws Cancelled where `progress` says so.
SessionTraffic sessionTraffic(const SessionStore& store, std::span<const std::int64_t> sessions,
                              const Progress& progress = {});

inline constexpr std::size_t kMostLoadBlocks = 256;
/// Each block and the next become one: neighbours are alike. An even number of blocks.
void joinNeighbours(std::vector<ExpertLoads>& blocks);
inline constexpr const char* kSessionLoads = "sessions";  ///< their RecordedLoads::format

}  // namespace gatescope
