// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/decode/generation.h"
#include "engine/decode/speculation_memory.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// What a step is to draft; depth 0: nothing, a plain step.
struct StepPlan {
    DraftSource source = DraftSource::Mtp;
    int depth = 0;

    bool plain() const { return depth == 0; }
};

/// Decides for every step of a run what to draft.
///
/// Off, Mtp and Lookup do as they are told. Auto takes the plan with the most tokens beyond what
/// the same time would give otherwise: tokens - rate * time, with expected tokens 1 + sum of the
/// products of the acceptances (Leviathan et al. 2023, eq. 1, for acceptances that differ) and with
/// times as measured, so that a verify step's further experts count for what they cost here. What
/// is not the best plan is tried now and then, for at most kProbeShare of the time.
class SpeculationPolicy {
  public:
    SpeculationPolicy(const GenerationParams& params, SpeculationMemory& memory);

    /// What is possible in this step.
    struct Possible {
        int depth = 0;        ///< positions left for drafts
        bool mtp = false;     ///< a module drafts
        int matchLength = 0;  ///< tokens a lookup found; 0: nothing to go on with
        std::int64_t waitingPairs = 0;
    };
    StepPlan plan(const Possible& possible);

    /// Whether the MTP module should draft another token after these.
    bool goOn(std::span<const DraftedToken> drafts) const;

    /// Learns from a step: `outcome` of a verify step, `positions` of its pass, the pairs that
    /// waited for the MTP module when it began.
    void learn(const std::optional<SpeculativeStep>& outcome, int positions,
               std::int64_t waitingPairs, const StepTiming& timing);

    /// Drafts a step may make.
    int maxDepth() const { return m_maxDepth; }

  private:
    static constexpr double kProbeShare = 0.01;
    static constexpr int kProbeSteps = 48;  ///< what was not measured for that long is probed
    static constexpr int kFirstProbes = 8;  ///< the same of a plain step seldom measured yet
    static constexpr int kMtpProbe = 3;     ///< steps of a probe of the module: its pairs are due

    struct Offer {
        StepPlan plan;
        double tokens = 1;
        double ns = 0;
    };
    StepPlan planFixed(DraftSource source, int depth) const;
    StepPlan planAuto(const Possible& possible);
    Offer mtpOffer(int depth) const;
    Offer lookupOffer(int depth, int matchLength) const;
    Offer bestMtp(int depth) const;
    Offer bestLookup(const Possible& possible) const;
    std::optional<StepPlan> probe(const Possible& possible, const StepPlan& best);
    bool affordable(double cost);
    bool plainIsDue() const;

    SpeculationMemory& m_memory;
    Speculate m_mode;
    int m_maxDepth;
    int m_plainEvery;
    std::int64_t m_step = 0;
    ProbeSchedule& m_probes;
    int m_probing = 0;  ///< steps left of a probe of the MTP module
    double m_rate = 0;  ///< tokens per ns of the best plan that is always possible
};

}  // namespace gatescope
