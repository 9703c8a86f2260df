// SPDX-License-Identifier: Apache-2.0
#include "engine/report/session_loads.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "engine/analysis/placement_score.h"
#include "engine/error.h"

namespace gatescope {

namespace {

class Counting {
  public:
    void add(const StoredSession& session) {
        const RoutingShape& shape = session.info.shape;
        if (shape.layers.empty() || shape.experts <= 0) return;
        if (m_out.layers.empty()) {
            m_shape = shape;
            m_model = session.info;
            m_out.layers = shape.layers;
        } else if (shape.layers != m_shape.layers || shape.experts != m_shape.experts) {
            throw Error(fmt::format("session {}: its model has other layers or experts",
                                    session.summary.id));
        }
        for (const StoredTurn& turn : session.turns) {
            if (turn.role == Role::Assistant && !turn.replaced) addAnswer(session, turn);
        }
    }

    SessionTraffic result() {
        if (m_out.blocks.empty()) throw Error("no routing was recorded in these sessions");
        m_out.format = kSessionLoads;
        return {std::move(m_out), std::move(m_model)};
    }

  private:
    void addAnswer(const StoredSession& session, const StoredTurn& turn) {
        ExpertLoads block;
        block.layers = static_cast<int>(m_shape.layers.size());
        block.experts = m_shape.experts;
        block.values.resize(m_shape.layers.size() * static_cast<std::size_t>(m_shape.experts));
        bool any = false;
        for (const StepTrace& step : turn.steps) {
            for (const RoutedToken& token : step.tokens) {
                if (token.phase == Phase::Rejected) continue;
                any = true;
                count(session, token, block);
            }
        }
        if (!any) return;
        m_out.blocks.push_back(std::move(block));
        if (m_out.blocks.size() == 2 * kMostLoadBlocks) joinNeighbours(m_out.blocks);
    }

    void count(const StoredSession& session, const RoutedToken& token, ExpertLoads& block) const {
        const std::vector<std::uint16_t>& experts = token.routing.experts;
        const std::size_t rows = m_shape.layers.size();
        const std::size_t k = experts.size() / rows;  // interventions may change it
        for (std::size_t i = 0; i < rows * k; ++i) {
            if (experts[i] == kNoExpert) continue;
            if (experts[i] >= m_shape.experts)
                throw Error(fmt::format("session {}: expert {} of {} at position {}",
                                        session.summary.id, experts[i], m_shape.experts,
                                        token.position));
            ++block.values[i / k * static_cast<std::size_t>(m_shape.experts) + experts[i]];
        }
    }

    RoutingShape m_shape;
    SessionInfo m_model;
    RecordedLoads m_out;
};

}  // namespace

SessionTraffic sessionTraffic(const SessionStore& store, std::span<const std::int64_t> sessions,
                              const Progress& progress) {
    std::vector<std::int64_t> chosen(sessions.begin(), sessions.end());
    if (chosen.empty()) {
        for (const SessionSummary& session : store.list()) chosen.push_back(session.id);
        std::sort(chosen.begin(), chosen.end());  // in the order of time
    }
    Counting counting;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        if (progress && !progress("reading sessions", i, chosen.size())) throw Cancelled();
        counting.add(store.load(chosen[i]));
    }
    return counting.result();
}

void joinNeighbours(std::vector<ExpertLoads>& blocks) {
    const std::size_t half = blocks.size() / 2;
    for (std::size_t i = 0; i < half; ++i) {
        blocks[i] = summedLoads(std::span(blocks).subspan(2 * i, 2));
    }
    blocks.resize(half);
}

RecordedLoads sessionLoads(const SessionStore& store, std::span<const std::int64_t> sessions) {
    return sessionTraffic(store, sessions).loads;
}

}  // namespace gatescope
