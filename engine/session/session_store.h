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
#include "engine/session/session_query.h"
#include "engine/text/chat_format.h"

namespace gatescope {

struct StoredTurn {
    int turn = 0;
    Role role = Role::User;
    std::string text;
    std::string finish;  ///< of an answer; "interrupted" if the program ended while it ran
    std::string paramsJson;
    int droppedMessages = 0;
    int givenTokens = 0;  ///< the first so many tokens were copied from where it branched
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

    /// What the query picks, pinned ones first, then last used first. Texts, titles and tags are
    /// searched, upper and lower case alike.
    std::vector<SessionSummary> list(const SessionQuery& query = {}) const;
    std::vector<SessionSummary> search(const std::string& text) const;
    /// What there is to pick from.
    SessionFacets facets() const;
    /// Makes what another thread waits for in this object throw Error soon.
    void interrupt();
    /// One session as it stands at this moment. Throws Error if it is not there or damaged.
    StoredSession load(std::int64_t session) const;
    /// The tokens of one answer; empty if it is not there. Throws Error if it is damaged.
    std::vector<TokenEvent> tokens(std::int64_t session, int turn) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

/// The user's session file: $XDG_DATA_HOME/gatescope/sessions.db (or ~/.local/share/...). Makes the
/// folder, for the user's eyes only; throws Error if that fails.
std::filesystem::path defaultSessionFile();

}  // namespace gatescope
