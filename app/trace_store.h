// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/engine_messages.h"

namespace gatescope {

/// The tokens of the session on screen with what was recorded about them, for the docks.
///
/// Every token has a number, the `position` of Selection: its position in the context, until older
/// messages are dropped; from then on the context is written anew at other positions and numbers
/// simply go on, so that a number always means the same token on screen.
class TraceStore {
  public:
    struct Entry {
        std::int32_t tokenId = 0;
        bool special = false;
        std::string bytes;
        std::shared_ptr<const RoutedToken>
            main;  ///< `position` is the number; null: not routed yet
        std::shared_ptr<const RoutedToken> mtp;
        bool generated = false;  ///< part of an answer, not of a prompt
        float probability = std::numeric_limits<float>::quiet_NaN();  ///< of a generated token
        TokenEvent::Draft draft = TokenEvent::Draft::None;
        std::int32_t rejectedDraftId = -1;
    };

    /// `scoreBudget`: bytes of affinities kept; those of the oldest tokens go first.
    explicit TraceStore(std::size_t scoreBudget = std::size_t{256} << 20);

    void reset(const RoutingShape& shape);
    const RoutingShape& shape() const { return m_shape; }

    /// The context from here on. Positions that begin as before keep their numbers. Returns the
    /// number of each position.
    std::vector<std::int32_t> setPrompt(const std::vector<PromptPiece>& pieces);
    /// A generated token; returns its number.
    std::int32_t addToken(const TokenEvent& token);
    void addStep(const StepTrace& step);
    /// Of an answer that was taken back only what it computed of the prompt counts.
    void addReplacedStep(const StepTrace& step);
    /// Forgets the tokens from this number on, and the drafts from `drafts` on (regenerate).
    void truncate(std::int32_t number, std::size_t drafts);

    std::int32_t size() const { return static_cast<std::int32_t>(m_entries.size()); }
    const Entry* entry(std::int32_t number) const;
    /// Token ids of the context as it stands now, by position.
    std::vector<std::int32_t> contextIds() const;
    /// Where a token stands in the present context; -1: no longer in it.
    std::int32_t contextPosition(std::int32_t number) const;
    /// Numbers of the tokens routed to an expert of an MoE layer (MTP layer included), ascending.
    std::vector<std::int32_t> routedTo(int layer, int expert) const;
    const std::vector<DraftOutcome>& drafts() const { return m_drafts; }
    std::size_t scoreBytes() const { return m_scoreBytes; }

  private:
    void attach(const RoutedToken& token, bool mtp);
    void store(std::int32_t number, const RoutedToken& token, bool mtp);
    void forgetEarly();
    void countScores(std::int32_t number, bool mtp);

    std::size_t m_scoreBudget;
    RoutingShape m_shape;
    std::vector<Entry> m_entries;
    std::vector<std::int32_t> m_numberAt;  ///< by context position
    /// Routed before its token was told, by position; main layers and MTP layer.
    std::array<std::map<std::int32_t, RoutedToken>, 2> m_early;
    std::vector<DraftOutcome> m_drafts;
    struct Kept {
        std::int32_t number;
        bool mtp;
        std::size_t bytes;
    };
    std::deque<Kept> m_kept;  ///< entries with scores, oldest first
    std::size_t m_scoreBytes = 0;
};

}  // namespace gatescope
