// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/analysis/compared_run.h"
#include "engine/session/session_store.h"

namespace gatescope {

/// The answers of stored sessions as one side of a comparison, in this order; answers that were
/// taken back by "regenerate" are left out. Throws Error where a session is not there or has no
/// answer, where two are of different models or choose different numbers of experts, and for no
/// session.
ComparedRun comparedRun(const SessionStore& store, std::span<const std::int64_t> sessions,
                        std::string label);
/// The same of sessions that are in memory.
ComparedRun comparedRun(std::span<const StoredSession> sessions, std::string label);

/// "12" or "1,3-5": session numbers in this order, each once. Throws Error naming what is wrong;
/// at most kMostSessionsInText numbers.
std::vector<std::int64_t> sessionsFromText(std::string_view text);
inline constexpr std::int64_t kMostSessionsInText = 100'000;

/// Settings of an answer in one line: "temperature 0.6 · top-p 0.95 · seed 1 · mtp".
std::string settingsText(const GenerationParams& params);

}  // namespace gatescope
