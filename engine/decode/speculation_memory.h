// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/decode/generation.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// What a step of size n took, n from 1: the median of the newest measurements of each size, and
/// for sizes not measured a straight line through those that are.
class CostCurve {
  public:
    static constexpr int kSizes = kMaxDrafts + 1;

    /// The first measurements of a size are left out: memory is touched, a device records a step.
    void add(int size, double ns);
    bool measured(int size) const;
    /// Measurements of a size, those left out included.
    std::int64_t count(int n) const { return size(n).count; }
    /// NaN while no size was measured.
    double at(int size) const;

  private:
    static constexpr int kWarmUp = 2;
    static constexpr std::size_t kWindow = 31;
    struct Size {
        std::array<double, kWindow> ns{};
        std::int64_t count = 0;  ///< all there were, warm-up included
        double median = 0;
    };
    const Size& size(int n) const { return m_sizes[static_cast<std::size_t>(n - 1)]; }
    double extrapolated(int below, int n) const;

    std::array<Size, kSizes> m_sizes{};
};

/// A probability that may drift: hits among trials, old ones fading, on top of a prior.
class FadingRate {
  public:
    void add(bool hit);
    /// Posterior mean with `weight` prior trials of mean `prior`.
    double rate(double prior, double weight) const;

  private:
    static constexpr double kFade = 0.98;  ///< a trial counts for about 50
    double m_hits = 0;
    double m_trials = 0;
};

/// When Auto last did what, and what trying things out may still cost.
struct ProbeSchedule {
    std::int64_t sincePlain = 0;  ///< decode steps
    std::int64_t sinceMtp = 0;
    std::int64_t sinceLookup = 0;
    double allowanceNs = 0;
};

/// What was learned about drafting with one model on one device: acceptance and times. Kept from
/// answer to answer, so that only the first one has to learn. One thread at a time.
class SpeculationMemory {
  public:
    /// Acceptance of draft `position` (from 0) of the MTP module, given that all before it were.
    double mtpAcceptance(int position) const;
    /// The same, knowing the module's own probability q of the draft.
    double mtpAcceptance(int position, float confidence) const;
    /// Acceptance of one draft of a lookup that found `matchLength` tokens.
    double lookupAcceptance(int matchLength) const;
    /// Learns from a verify step.
    void addOutcome(const SpeculativeStep& step);

    CostCurve& passes() { return m_passes; }  ///< a decode step without drafting, by positions
    const CostCurve& passes() const { return m_passes; }
    CostCurve& chains() { return m_chains; }  ///< drafting by the MTP module, by drafts
    const CostCurve& chains() const { return m_chains; }
    /// Time of one step of `positions` positions.
    double passNs(int positions) const { return m_passes.at(positions); }
    /// Time of drafting `drafts` tokens by the MTP module; a guess before it was measured.
    double chainNs(int drafts) const;
    /// Time of one pair that the MTP module lacks; a guess before it was measured.
    double pairNs() const;
    void addPairs(std::int64_t pairs, double ns);

    /// Whether the MTP module was drawn back from: tried, and losing.
    bool mtpLoses() const;
    ProbeSchedule& probes() { return m_probes; }
    /// Answers begun; every so many of them the module gets another try.
    std::int64_t beginAnswer() { return m_answers++; }

  private:
    static constexpr std::size_t kConfidences = 5;
    static constexpr std::size_t kMatchLengths = 5;
    static std::size_t confidenceClass(float q);
    static std::size_t lengthClass(int matchLength);

    struct Position {
        FadingRate all;
        std::array<FadingRate, kConfidences> byConfidence;
    };
    std::array<Position, kMaxDrafts> m_mtp;
    std::array<FadingRate, kMatchLengths> m_lookup;
    CostCurve m_passes;
    CostCurve m_chains;
    double m_pairNs = 0;
    ProbeSchedule m_probes;
    std::int64_t m_answers = 0;
};

}  // namespace gatescope
