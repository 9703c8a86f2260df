// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// Sessions as JSON Lines; docs/session-schema.md describes the lines.

namespace gatescope {

inline constexpr const char* kJsonLinesFormat = "gatescope-sessions";
inline constexpr std::int64_t kJsonLinesVersion = 1;
/// Tokens and positions are written so many to a line, so that no reader needs a long answer at
/// once.
inline constexpr std::size_t kTokensPerLine = 256;
inline constexpr std::size_t kPositionsPerLine = 32;
/// What a reader takes as one line.
inline constexpr std::size_t kMostLineBytes = std::size_t{64} << 20;

}  // namespace gatescope
