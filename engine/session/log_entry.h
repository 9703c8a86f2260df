// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/decode/generation.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// What waits in a session log's queue, in the order in which it happened.
struct TitleEntry {
    std::string title;
};
struct UserTurnEntry {
    std::string text;
};
struct AnswerEntry {
    GenerationParams params;
    int droppedMessages = 0;
    int givenTokens = 0;
};
struct PromptEntry {
    std::vector<std::int32_t> ids;
};
struct TokenEntry {
    TokenEvent token;
};
struct StepEntry {
    StepTrace step;
};
struct EndEntry {
    GenerationResult result;
};
struct ReplaceEntry {};
struct TagsEntry {
    std::vector<std::string> add;
    std::vector<std::string> remove;
    bool removeOthers = false;  ///< all that are not among `add`
};
struct PinEntry {
    bool pinned = true;
};
struct DeleteEntry {
    bool deleted = true;  ///< false: restored
};

struct LogEntry {
    std::int64_t session = 0;
    int turn = 0;
    std::int64_t timeMs = 0;  ///< Unix time
    std::variant<TitleEntry, UserTurnEntry, AnswerEntry, PromptEntry, TokenEntry, StepEntry,
                 EndEntry, ReplaceEntry, TagsEntry, PinEntry, DeleteEntry>
        what;
};

}  // namespace gatescope
