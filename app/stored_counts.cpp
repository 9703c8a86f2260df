// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/stored_counts.h"

#include <algorithm>
#include <utility>

#include "engine/error.h"
#include "engine/model/applied_bias.h"
#include "engine/session/settings_json.h"

namespace gatescope {
namespace {

class Counting {
  public:
    Counting(const StoredSession& stored, const BiasByRow& bias, const ShadowParams& shadow)
        : m_stored(stored), m_bias(bias), m_shadow(shadow) {
        begin(nullptr);
        m_counts.beforeAnswer = m_counts.analysis;
        for (const StoredTurn& turn : stored.turns) {
            m_last = turn.role == Role::Assistant && !turn.replaced ? &turn : m_last;
        }
    }

    void add(const StoredTurn& turn) {
        const auto interventions = settingsFromJson(turn.paramsJson).interventions;
        if (!turn.replaced && !sameInterventions(interventions, m_counts.interventions)) {
            begin(interventions);
        }
        const std::vector<std::int32_t> context = contextOf(turn);
        const auto& before = m_counts.counted;
        const auto same =
            std::mismatch(context.begin(), context.end(), before.begin(), before.end());
        const auto counted = static_cast<std::size_t>(same.first - context.begin());
        PromptRouting prompt;
        for (const StepTrace& step : turn.steps) {
            prompt.keep(step, counted, context.size());
        }
        if (turn.replaced) {  // of an answer that was taken back only its prompt counts
            addPrompt(*m_counts.analysis, prompt);
            m_counts.counted = context;
            forgetUnrouted(turn, counted);
            return;
        }
        if (&turn == m_last) {  // counters of a large model take tens of megabytes
            m_counts.beforeAnswer = m_counts.analysis;
        }
        m_counts.promptRouting = std::move(prompt);
        for (const StepTrace& step : turn.steps) {
            addFresh(*m_counts.analysis, step, counted);
            m_counts.cache = step.cache;
        }
        noteContext(turn);
        forgetUnrouted(turn, counted);
    }

    StoredCounts take() { return std::move(m_counts); }

  private:
    void begin(std::shared_ptr<const Interventions> interventions) {
        m_counts.analysis.emplace(
            analysisUnder(interventions, m_stored.info.shape, m_bias, m_shadow));
        m_counts.interventions = std::move(interventions);
        m_counts.counted.clear();
    }

    /// A prompt whose answer was stopped early may not have been through the model to its end.
    void forgetUnrouted(const StoredTurn& turn, std::size_t counted) {
        std::size_t end = counted;
        for (const StepTrace& step : turn.steps) {
            for (const RoutedToken& token : step.tokens) {
                if (token.phase != Phase::Rejected && token.position >= 0) {
                    end = std::max(end, static_cast<std::size_t>(token.position) + 1);
                }
            }
        }
        m_counts.counted.resize(std::min(m_counts.counted.size(), end));
    }

    /// What the answer went on from: its prompt and the tokens it was given.
    static std::vector<std::int32_t> contextOf(const StoredTurn& turn) {
        std::vector<std::int32_t> ids = turn.promptIds;
        for (const TokenEvent& token : turn.tokens) {
            if (token.step == kGivenStep) ids.push_back(token.id);
        }
        return ids;
    }

    void noteContext(const StoredTurn& turn) {
        std::vector<std::int32_t>& counted = m_counts.counted;
        counted = turn.promptIds;
        const std::vector<std::int32_t>& ids = m_stored.extent.lastAnswerIds;
        if (&turn == &m_stored.turns.back() && !ids.empty()) {  // of an answer that was cut
            counted.insert(counted.end(), ids.begin(), ids.end());
        } else {
            for (const TokenEvent& token : turn.tokens) {
                counted.push_back(token.id);
            }
        }
        if (counted.size() > turn.promptIds.size()) {
            counted.pop_back();  // the last token has not been through the model
        }
    }

    const StoredSession& m_stored;
    const BiasByRow& m_bias;
    ShadowParams m_shadow;
    StoredCounts m_counts;
    const StoredTurn* m_last = nullptr;  ///< the answer that can be taken back
};

}  // namespace

bool sameInterventions(const std::shared_ptr<const Interventions>& a,
                       const std::shared_ptr<const Interventions>& b) {
    const Interventions none;
    return (a ? *a : none) == (b ? *b : none);
}

TrafficAnalysis analysisUnder(const std::shared_ptr<const Interventions>& interventions,
                              const RoutingShape& shape, BiasByRow bias,
                              const ShadowParams& shadow) {
    const Interventions& changed = interventions ? *interventions : Interventions();
    return TrafficAnalysis(runShape(shape, changed), biasUnder(changed, shape, std::move(bias)),
                           shadow);
}

void addPrompt(TrafficAnalysis& analysis, const PromptRouting& prompt) {
    for (const RoutedToken& token : prompt.main) {
        analysis.add(token, false);
    }
    for (const RoutedToken& token : prompt.mtp) {
        analysis.add(token, true);
    }
}

StoredCounts countSession(const StoredSession& stored, const BiasByRow& bias,
                          const ShadowParams& shadow, const std::stop_token& stop) {
    Counting counting(stored, bias, shadow);
    for (const StoredTurn& turn : stored.turns) {
        if (stop.stop_requested()) {
            throw Cancelled();
        }
        if (turn.role == Role::Assistant) {
            counting.add(turn);
        }
    }
    return counting.take();
}

}  // namespace gatescope
