// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/engine_messages.h"
#include "engine/analysis/speculation_stats.h"

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
        std::vector<TokenEvent::Alternative> alternatives;            ///< of a generated token
        TokenEvent::Draft draft = TokenEvent::Draft::None;
        std::int32_t rejectedDraftId = -1;
        std::int64_t step = -1;             ///< of its answer; -1: not generated
        std::optional<DraftSource> source;  ///< who drafted in that step; unset: nobody
        int drafted = 0;                    ///< how many
    };

    /// `scoreBudget`: bytes of affinities kept; those of the oldest tokens go first.
    explicit TraceStore(std::size_t scoreBudget = std::size_t{256} << 20);

    /// `tokens`: of the model that the session was made with; null: not at hand.
    void reset(const RoutingShape& shape, std::shared_ptr<const TokenTable> tokens = nullptr);
    const RoutingShape& shape() const { return m_shape; }

    /// The context from here on. Positions that begin as before keep their numbers. Of a context
    /// that begins anew the positions before `first` are not held. Returns the number of each
    /// position, -1 for one that is not held.
    std::vector<std::int32_t> setPrompt(const std::vector<PromptPiece>& pieces,
                                        std::size_t first = 0);
    /// The context from here on, of which nothing before this position is held: the session is
    /// shown from the middle of an answer.
    void beginAt(std::int32_t position);
    /// The beginning of the context is not held.
    bool partial() const { return m_first > 0; }
    /// What comes now belongs to a new answer. `anew`: it is routed in another way than what came
    /// before, so speculation is counted from here on.
    void beginAnswer(bool anew = false);
    /// A generated token; returns its number.
    std::int32_t addToken(const TokenEvent& token);
    void addStep(const StepTrace& step);
    /// Of an answer that was taken back only what it computed of the prompt counts.
    void addReplacedStep(const StepTrace& step);
    /// Forgets the newest answer, whose first token this is, and its steps (regenerate).
    void truncate(std::int32_t number);

    std::int32_t size() const { return static_cast<std::int32_t>(m_entries.size()); }
    const Entry* entry(std::int32_t number) const;
    /// Token ids of the context as it stands now, by position; empty if it is partial().
    std::vector<std::int32_t> contextIds() const;
    /// Where a token stands in the present context; -1: no longer in it, or it is partial().
    std::int32_t contextPosition(std::int32_t number) const;
    /// Numbers of the tokens routed to an expert of an MoE layer (MTP layer included), ascending.
    std::vector<std::int32_t> routedTo(int layer, int expert) const;
    const SpeculationCounter& speculation() const { return m_speculation; }
    /// The bytes of a token that may never have become part of the text; empty if not known.
    std::string_view bytesOf(std::int32_t id) const;
    std::size_t scoreBytes() const { return m_scoreBytes; }

  private:
    void noteSource(const StepTrace& step);
    void attach(const RoutedToken& token, bool mtp);
    void store(std::int32_t number, const RoutedToken& token, bool mtp);
    void forgetEarly();
    void countScores(std::int32_t number, bool mtp);

    std::size_t m_scoreBudget;
    RoutingShape m_shape;
    std::vector<Entry> m_entries;
    std::size_t m_first = 0;               ///< context position of the first one held
    std::vector<std::int32_t> m_numberAt;  ///< by context position from m_first on
    /// Routed before its token was told, by position; main layers and MTP layer.
    std::array<std::map<std::int32_t, RoutedToken>, 2> m_early;
    std::shared_ptr<const TokenTable> m_tokens;
    SpeculationCounter m_speculation;
    SpeculationCounter m_speculationNone;
    SpeculationCounter m_speculationBefore;  ///< the newest answer
    std::int32_t m_answerFirst = 0;          ///< number of the newest answer's first token
    struct Kept {
        std::int32_t number;
        bool mtp;
        std::size_t bytes;
    };
    std::deque<Kept> m_kept;  ///< entries with scores, oldest first
    std::size_t m_scoreBytes = 0;
};

}  // namespace gatescope
