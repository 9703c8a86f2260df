// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "engine/session/session_index.h"
#include "engine/session/session_store.h"

namespace gatescope {

/// Reads sessions of any length in parts: what a part takes in memory is bounded by its limits, and
/// the time to read it does not depend on how long the session is, but for one look at each of its
/// messages. Its own read-only connection, as a SessionStore. One object belongs to one thread at a
/// time.
class SessionPages {
  public:
    explicit SessionPages(const std::filesystem::path& file);  ///< throws Error
    ~SessionPages();

    /// Empty if there is no such session.
    SessionIndex index(std::int64_t session) const;

    /// The turns of a part, with `extent` set. Of an answer that was taken back only its prompt's
    /// steps are there. A cut answer has the tokens, steps and text of the part. Throws Error if
    /// the session is not there or damaged.
    StoredSession load(std::int64_t session, const PartRequest& request = {},
                       const PartLimits& limits = {}) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace gatescope
