// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/analysis/speculation_stats.h"
#include "engine/decode/generation.h"

namespace gatescope::cli {

/// What the decode steps of an answer say about speculation.
class SpeculationRecord {
  public:
    struct VerifyStep {
        std::int64_t step = 0;
        SpeculativeStep speculation;
        StepTiming timing;
    };

    explicit SpeculationRecord(RoutingShape shape) : m_counter(std::move(shape)) {}
    void add(const StepTrace& step);

    const std::vector<VerifyStep>& steps() const { return m_steps; }
    SpeculationValue value() const { return m_counter.value(); }

  private:
    std::vector<VerifyStep> m_steps;
    SpeculationCounter m_counter;
};

/// Drafts per step as asked for, or what the mode takes by itself; 0: off.
int depthAsked(const GenerationParams& params);

/// The acceptance of an answer, from its counts.
SpeculationRates ratesOf(const SpeculationStats& stats);

/// Figures under vLLM's names, with Wilson intervals (95 %), and by position, each with its n.
/// `depth`: the depth asked for. A figure without data is null.
nlohmann::ordered_json ratesJson(const SpeculationRates& rates, int depth);

/// All of an answer: counts, ratesJson(), what plain and verify steps took, and every verify step.
nlohmann::ordered_json speculationJson(const GenerationParams& params,
                                       const SpeculationStats& stats,
                                       const SpeculationRecord& record);

/// "drafts 12/30 accepted (40 %), 1.86 tokens a step"; empty when nothing was drafted.
std::string acceptanceText(const SpeculationRates& rates);
/// "drafting +12 % (34 plain steps)": what it gained in tokens per second; empty while not
/// measured.
std::string gainText(const SpeculationGain& gain);

}  // namespace gatescope::cli
