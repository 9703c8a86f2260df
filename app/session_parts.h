// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/session/session_extent.h"
#include "engine/session/session_index.h"
#include "views/selection.h"

namespace gatescope {

class TranscriptView;
struct StoredSession;

/// Which part of a stored session is on screen, where its tokens are, and how the other parts are
/// asked for.
class SessionParts {
  public:
    enum class Part { First, Earlier, Later, Newest };

    /// What of the session is shown and counted; null: all of it.
    const SessionExtent* shown() const { return m_part ? &*m_part : nullptr; }
    bool has(Part which) const;
    /// What to ask the reader for; unset if there is no such part, or one is waited for.
    std::optional<PartRequest> want(Part which);
    bool isWanted() const { return m_wanted; }
    /// The part that was asked for does not come.
    void forgetWanted() { m_wanted = false; }
    /// What was selected and at which place the transcript stands is another session's.
    void forgetPlace() { m_anchor.reset(); }

    /// Nothing is shown.
    void clear();
    /// Another part, or another session, comes on screen now.
    void begin(const StoredSession& stored);
    /// The tokens of the next answer of it; `number`: the first one's on screen.
    void add(std::int32_t number, std::int32_t count);
    /// The answer added last is cut at the part's end.
    bool lastIsCut() const;
    /// All answers are added: what was selected before is selected again, or nothing is, and the
    /// transcript stands where the person was.
    void end(std::optional<std::int64_t> selected, const SelectionPoint& before,
             Selection* selection, TranscriptView* transcript);
    /// Tokens came to the end of what is shown, or went.
    void grow(std::int64_t tokens);

    /// A token on screen as SessionExtent counts them; unset: not one of the answers shown.
    std::optional<std::int64_t> tokenOf(std::optional<std::int32_t> number) const;
    std::int32_t numberOf(std::int64_t token) const;  ///< -1: not on screen

  private:
    /// A token of the session that is to stand at an edge of the transcript.
    struct Anchor {
        std::int64_t token = 0;
        Qt::Edge edge = Qt::TopEdge;
    };
    /// Tokens of one answer: as SessionExtent counts them, and their numbers on screen.
    struct ShownTokens {
        std::int64_t token = 0;
        std::int32_t number = 0;
        std::int32_t count = 0;
    };

    std::optional<SessionExtent> m_part;  ///< unset: the whole session is shown
    std::vector<ShownTokens> m_shown;
    std::optional<Anchor> m_anchor;
    bool m_wanted = false;
};

}  // namespace gatescope
