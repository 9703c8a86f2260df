// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gatescope {

/// One message of a session, by its sizes only.
struct IndexedTurn {
    int turn = 0;
    bool answer = false;
    bool replaced = false;
    std::int64_t tokens = 0;        ///< generated
    std::int64_t promptTokens = 0;  ///< of the prompt the answer was made from

    /// Tokens that count in a SessionExtent.
    std::int64_t standing() const { return answer && !replaced ? tokens : 0; }
};

/// A session without its contents.
struct SessionIndex {
    std::vector<IndexedTurn> turns;  ///< by number
    std::int64_t tokens() const;     ///< of the answers that stand
};

/// What a part may hold. The first answer met is taken whatever the length of its prompt.
struct PartLimits {
    std::int64_t tokens = 4000;
    std::int64_t promptTokens = 131'072;  ///< of all its answers together
    std::int64_t turns = 1000;
    std::int64_t routingBytes = std::int64_t{32} << 20;  ///< as they lie in the file
};

/// Which part of a session is wanted, by tokens as SessionExtent counts them. A place beyond the
/// session's ends means the end.
struct PartRequest {
    enum class At { Newest, Oldest, EndsAt, BeginsAt };
    At at = At::Newest;
    std::int64_t token = 0;  ///< EndsAt: the first token behind the part; BeginsAt: its first
};

/// A part of a session: turns [firstTurn, endTurn) of its index, without the first `cutBefore`
/// tokens of the first answer and the last `cutAfter` of the last.
struct PartPlan {
    std::size_t firstTurn = 0;
    std::size_t endTurn = 0;
    std::int64_t firstToken = 0;
    std::int64_t tokens = 0;
    std::int64_t cutBefore = 0;
    std::int64_t cutAfter = 0;
};

/// Takes whole turns where that leaves the part at least half full, else cuts an answer.
PartPlan planPart(const SessionIndex& index, const PartRequest& request, const PartLimits& limits);

}  // namespace gatescope
