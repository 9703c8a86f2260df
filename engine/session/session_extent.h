// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/text/chat_format.h"

namespace gatescope {

/// A message without what was recorded about it.
struct StoredMessage {
    int turn = 0;
    Role role = Role::User;
    std::string text;
    bool replaced = false;
};

/// How much of a session a StoredSession holds: by default all of it. Tokens are those generated in
/// answers that were not taken back, counted through the whole session from 0.
struct SessionExtent {
    std::int64_t firstToken = 0;     ///< tokens of the session before the part
    std::int64_t tokens = 0;         ///< in the part
    std::int64_t sessionTokens = 0;  ///< of the whole session
    std::int64_t cutBefore = 0;      ///< tokens of the part's first answer that come before it
    std::int64_t cutAfter = 0;       ///< tokens of the part's last answer that come behind it
    bool begin = true;               ///< the part begins where the session does
    bool end = true;                 ///< the part ends where the session does
    bool allRouting = true;  ///< false: the routing of the part's oldest positions is left out
    std::vector<StoredMessage> messages;  ///< of the whole session; empty when whole()
    /// Token ids of the part's last answer from its beginning, if that answer was cut.
    std::vector<std::int32_t> lastAnswerIds;

    bool whole() const { return begin && end; }
};

}  // namespace gatescope
