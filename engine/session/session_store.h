// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/session/session_extent.h"
#include "engine/session/session_log.h"
#include "engine/text/chat_format.h"

namespace gatescope {

struct SessionSummary {
    std::int64_t id = 0;
    std::string title;
    std::string modelName;
    std::int64_t createdMs = 0;  ///< Unix time in milliseconds
    std::int64_t updatedMs = 0;
    std::int64_t turns = 0;   ///< messages, without replaced ones
    std::int64_t tokens = 0;  ///< generated, those of replaced answers too
};

struct StoredTurn {
    int turn = 0;
    Role role = Role::User;
    std::string text;
    std::string finish;  ///< of an answer; "interrupted" if the program ended while it ran
    std::string paramsJson;
    int droppedMessages = 0;
    bool replaced = false;
    std::vector<std::int32_t> promptIds;
    std::vector<TokenEvent> tokens;
    std::vector<StepTrace> steps;            ///< with routing (no scores), timings, cache, drafts
    std::optional<GenerationResult> result;  ///< of an answer that ended
};

struct StoredSession {
    SessionSummary summary;
    SessionInfo info;
    std::vector<StoredTurn> turns;
    SessionExtent extent;  ///< of a part that SessionPages read
};

/// The reading side: its own read-only connection; may be used while a log writes the same file.
/// A file from a newer version opens as long as the columns this one reads are still there, and
/// every older one opens as it is. One object belongs to one thread at a time.
class SessionStore {
  public:
    explicit SessionStore(const std::filesystem::path& file);  ///< throws Error
    ~SessionStore();

    std::vector<SessionSummary> list() const;  ///< last used first
    /// The sessions in which a turn contains the text (upper and lower case alike), last used
    /// first.
    std::vector<SessionSummary> search(const std::string& text) const;
    /// One session as it stands at this moment. Throws Error if it is not there or damaged.
    StoredSession load(std::int64_t session) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

/// The user's session file: $XDG_DATA_HOME/gatescope/sessions.db (or ~/.local/share/...). Makes the
/// folder, for the user's eyes only; throws Error if that fails.
std::filesystem::path defaultSessionFile();

}  // namespace gatescope
