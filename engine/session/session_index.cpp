// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_index.h"

#include <algorithm>
#include <numeric>

namespace gatescope {

namespace {

/// What has been taken so far against what may be taken.
class Budget {
  public:
    explicit Budget(const PartLimits& limits) : m_limits(limits) {}

    enum class Verdict { Take, Cut, Stop };
    /// Of a turn with this many tokens in reach.
    Verdict look(const IndexedTurn& turn, std::int64_t own) {
        const std::int64_t prompts = m_prompts + (turn.answer ? turn.promptTokens : 0);
        const std::int64_t most = turn.answer ? m_limits.turns : 2 * m_limits.turns;
        if (m_turns >= most || (m_answers > 0 && prompts > m_limits.promptTokens)) {
            return Verdict::Stop;
        }
        if (own > room()) {
            return 2 * m_tokens >= m_limits.tokens ? Verdict::Stop : Verdict::Cut;
        }
        m_prompts = prompts;
        m_tokens += own;
        ++m_turns;
        m_answers += turn.answer ? 1 : 0;
        return Verdict::Take;
    }
    std::int64_t room() const { return m_limits.tokens - m_tokens; }

  private:
    PartLimits m_limits;
    std::int64_t m_tokens = 0;
    std::int64_t m_prompts = 0;
    std::int64_t m_turns = 0;
    std::int64_t m_answers = 0;
};

/// The turn that holds a token and how many of its tokens come before that one.
struct Place {
    std::size_t turn = 0;
    std::int64_t within = 0;
};

Place placeOf(const SessionIndex& index, std::int64_t token) {
    Place place{0, token};
    while (place.turn < index.turns.size() && place.within >= index.turns[place.turn].standing()) {
        place.within -= index.turns[place.turn].standing();
        ++place.turn;
    }
    return place;
}

PartPlan backwards(const SessionIndex& index, std::int64_t end, const PartLimits& limits) {
    PartPlan plan;
    plan.endTurn = index.turns.size();
    if (end < index.tokens()) {
        const Place last = placeOf(index, end - 1);
        plan.endTurn = last.turn + 1;
        plan.cutAfter = index.turns[last.turn].tokens - last.within - 1;
    }
    plan.firstTurn = plan.endTurn;
    Budget budget(limits);
    while (plan.firstTurn > 0) {
        const IndexedTurn& turn = index.turns[plan.firstTurn - 1];
        const bool last = plan.firstTurn == plan.endTurn;
        const std::int64_t own = turn.standing() - (last ? plan.cutAfter : 0);
        const auto verdict = budget.look(turn, own);
        if (verdict == Budget::Verdict::Stop) {
            break;
        }
        --plan.firstTurn;
        if (verdict == Budget::Verdict::Cut) {
            plan.cutBefore = own - budget.room();
            break;
        }
    }
    return plan;
}

PartPlan forwards(const SessionIndex& index, std::int64_t begin, const PartLimits& limits) {
    PartPlan plan;
    if (begin > 0) {
        const Place first = placeOf(index, begin);
        plan.firstTurn = first.turn;
        plan.cutBefore = first.within;
        // The question belongs to its answer.
        while (plan.cutBefore == 0 && plan.firstTurn > 0 &&
               !index.turns[plan.firstTurn - 1].answer) {
            --plan.firstTurn;
        }
    }
    plan.endTurn = plan.firstTurn;
    Budget budget(limits);
    std::int64_t skipped = plan.cutBefore;
    while (plan.endTurn < index.turns.size()) {
        const IndexedTurn& turn = index.turns[plan.endTurn];
        const std::int64_t own = turn.standing() - skipped;
        const auto verdict = budget.look(turn, own);
        if (verdict == Budget::Verdict::Stop) {
            // A question without its answer is better shown with it.
            while (plan.endTurn > plan.firstTurn + 1 && !index.turns[plan.endTurn - 1].answer) {
                --plan.endTurn;
            }
            break;
        }
        skipped = 0;
        ++plan.endTurn;
        if (verdict == Budget::Verdict::Cut) {
            plan.cutAfter = own - budget.room();
            break;
        }
    }
    return plan;
}

}  // namespace

std::int64_t SessionIndex::tokens() const {
    return std::accumulate(
        turns.begin(), turns.end(), std::int64_t{0},
        [](std::int64_t sum, const IndexedTurn& turn) { return sum + turn.standing(); });
}

PartPlan planPart(const SessionIndex& index, const PartRequest& request, const PartLimits& limits) {
    const std::int64_t total = index.tokens();
    PartPlan plan;
    switch (request.at) {
        case PartRequest::At::Newest:
            plan = backwards(index, total, limits);
            break;
        case PartRequest::At::Oldest:
            plan = forwards(index, 0, limits);
            break;
        case PartRequest::At::EndsAt:
            plan = request.token <= 0 ? forwards(index, 0, limits)
                                      : backwards(index, std::min(request.token, total), limits);
            break;
        case PartRequest::At::BeginsAt:
            plan = request.token >= total
                       ? backwards(index, total, limits)
                       : forwards(index, std::max<std::int64_t>(request.token, 0), limits);
            break;
    }
    const auto sum = [&index](std::size_t from, std::size_t to) {
        std::int64_t tokens = 0;
        for (std::size_t i = from; i < to; ++i) {
            tokens += index.turns[i].standing();
        }
        return tokens;
    };
    plan.firstToken = sum(0, plan.firstTurn) + plan.cutBefore;
    plan.tokens = sum(plan.firstTurn, plan.endTurn) - plan.cutBefore - plan.cutAfter;
    return plan;
}

}  // namespace gatescope
