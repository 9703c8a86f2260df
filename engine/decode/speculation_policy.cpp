// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/speculation_policy.h"

#include <algorithm>
#include <cmath>

namespace gatescope {

namespace {

/// A plan with drafts must promise that much more: estimates are not exact, and equal is no reason.
constexpr double kLead = 1.03;

/// Steps that probes may lose at once.
constexpr double kMostAllowed = 32;

int depthOf(const GenerationParams& params) {
    if (params.drafts > 0) return std::min(params.drafts, kMaxDrafts);
    switch (params.speculate) {
        case Speculate::Off:
            return 0;
        case Speculate::Mtp:
            return 1;
        case Speculate::Lookup:
        case Speculate::Auto:
            return 4;
    }
    return 0;
}

}  // namespace

SpeculationPolicy::SpeculationPolicy(const GenerationParams& params, SpeculationMemory& memory)
    : m_memory(memory),
      m_mode(params.speculate),
      m_maxDepth(depthOf(params)),
      m_plainEvery(params.plainEvery),
      m_probes(memory.probes()) {}

StepPlan SpeculationPolicy::plan(const Possible& possible) {
    ++m_step;
    const int depth = std::min(possible.depth, m_maxDepth);
    if (depth < 1) return {};
    switch (m_mode) {
        case Speculate::Off:
            return {};
        case Speculate::Mtp:
            return planFixed(DraftSource::Mtp, possible.mtp ? depth : 0);
        case Speculate::Lookup:
            return planFixed(DraftSource::Lookup, possible.matchLength > 0 ? depth : 0);
        case Speculate::Auto:
            return planAuto(possible);
    }
    return {};
}

StepPlan SpeculationPolicy::planFixed(DraftSource source, int depth) const {
    const bool compare = m_plainEvery > 0 && m_step % (m_plainEvery + 1) == 0;
    return compare ? StepPlan{} : StepPlan{source, depth};
}

SpeculationPolicy::Offer SpeculationPolicy::mtpOffer(int depth) const {
    Offer offer{{DraftSource::Mtp, depth}, 1, m_memory.passNs(depth + 1) + m_memory.chainNs(depth)};
    double reached = 1;
    for (int i = 0; i < depth; ++i) {
        reached *= m_memory.mtpAcceptance(i);
        offer.tokens += reached;
    }
    return offer;
}

SpeculationPolicy::Offer SpeculationPolicy::lookupOffer(int depth, int matchLength) const {
    Offer offer{{DraftSource::Lookup, depth}, 1, m_memory.passNs(depth + 1)};
    const double acceptance = m_memory.lookupAcceptance(matchLength);
    double reached = 1;
    for (int i = 0; i < depth; ++i) {
        reached *= acceptance;
        offer.tokens += reached;
    }
    return offer;
}

SpeculationPolicy::Offer SpeculationPolicy::bestMtp(int depth) const {
    Offer best = mtpOffer(1);
    for (int d = 2; d <= depth; ++d) {
        const Offer offer = mtpOffer(d);
        if (offer.tokens / offer.ns > best.tokens / best.ns) best = offer;
    }
    return best;
}

SpeculationPolicy::Offer SpeculationPolicy::bestLookup(const Possible& possible) const {
    const auto worth = [this](const Offer& offer) { return offer.tokens - m_rate * offer.ns; };
    Offer best = lookupOffer(1, possible.matchLength);
    for (int d = 2; d <= std::min(possible.depth, m_maxDepth); ++d) {
        const Offer offer = lookupOffer(d, possible.matchLength);
        if (worth(offer) > worth(best)) best = offer;
    }
    return best;
}

StepPlan SpeculationPolicy::planAuto(const Possible& possible) {
    // The first steps are plain: nothing can be weighed against a time that is not known.
    if (!m_memory.passes().measured(1)) return {};
    const int depth = std::min(possible.depth, m_maxDepth);
    if (m_probing > 0 && possible.mtp) {
        --m_probing;
        return {DraftSource::Mtp, depth};
    }
    const double plainNs = m_memory.passNs(1);
    StepPlan best;
    m_rate = 1 / plainNs;
    if (possible.mtp) {
        const Offer mtp = bestMtp(depth);
        if (mtp.tokens * plainNs > kLead * mtp.ns) {
            best = {DraftSource::Mtp, depth};
            m_rate = mtp.tokens / mtp.ns;
        }
    }
    if (possible.matchLength > 0) {
        const Offer lookup = bestLookup(possible);
        if (lookup.tokens > m_rate * lookup.ns * kLead) best = lookup.plan;
    }
    return probe(possible, best).value_or(best);
}

bool SpeculationPolicy::affordable(double cost) {
    if (cost > m_probes.allowanceNs) return false;
    m_probes.allowanceNs -= std::max(0.0, cost);
    return true;
}

bool SpeculationPolicy::plainIsDue() const {
    constexpr std::int64_t kEnough = 8;
    const bool known = m_memory.passes().count(1) >= kEnough;
    return m_probes.sincePlain >= (known ? kProbeSteps : kFirstProbes);
}

std::optional<StepPlan> SpeculationPolicy::probe(const Possible& possible, const StepPlan& best) {
    const auto loss = [this](const Offer& offer) { return offer.ns - offer.tokens / m_rate; };
    if (!best.plain() && plainIsDue() && affordable(loss({{}, 1, m_memory.passNs(1)})))
        return StepPlan{};
    const bool otherThanMtp = best.plain() || best.source != DraftSource::Mtp;
    if (possible.mtp && otherThanMtp && m_probes.sinceMtp >= kProbeSteps) {
        const auto pairs = static_cast<double>(possible.waitingPairs);
        const double cost = kMtpProbe * loss(mtpOffer(1)) + pairs * m_memory.pairNs();
        if (affordable(cost)) {
            m_probing = kMtpProbe - 1;
            return StepPlan{DraftSource::Mtp, 1};
        }
    }
    const bool otherThanLookup = best.plain() || best.source != DraftSource::Lookup;
    if (possible.matchLength > 0 && otherThanLookup && m_probes.sinceLookup >= kProbeSteps) {
        const Offer lookup = lookupOffer(1, possible.matchLength);
        if (affordable(loss(lookup))) return lookup.plan;
    }
    return {};
}

bool SpeculationPolicy::goOn(std::span<const DraftedToken> drafts) const {
    if (m_mode != Speculate::Auto || m_rate <= 0) return true;
    const int made = static_cast<int>(drafts.size());
    double reached = m_memory.mtpAcceptance(made);
    for (int i = 0; i < made; ++i)
        reached *= m_memory.mtpAcceptance(i, drafts[static_cast<std::size_t>(i)].draftProbability);
    const double ns = m_memory.passNs(made + 2) - m_memory.passNs(made + 1) +
                      m_memory.chainNs(made + 1) - m_memory.chainNs(made);
    return reached > m_rate * ns;
}

void SpeculationPolicy::learn(const std::optional<SpeculativeStep>& outcome, int positions,
                              std::int64_t waitingPairs, const StepTiming& timing) {
    const auto draftNs = static_cast<double>(timing.draftNs);
    const auto total = static_cast<double>(timing.totalNs());
    m_memory.passes().add(positions, total - draftNs);
    m_probes.allowanceNs =
        std::min(m_probes.allowanceNs + kProbeShare * total, kMostAllowed * total);
    const bool mtp = outcome && outcome->source == DraftSource::Mtp;
    const bool lookup = outcome && outcome->source == DraftSource::Lookup;
    m_probes.sincePlain = outcome ? m_probes.sincePlain + 1 : 0;
    m_probes.sinceMtp = mtp ? 0 : m_probes.sinceMtp + 1;
    m_probes.sinceLookup = lookup ? 0 : m_probes.sinceLookup + 1;
    if (!outcome) return;
    m_memory.addOutcome(*outcome);
    if (!mtp) return;
    // With many pairs to complete first, the time says what pairs cost, not what drafts do.
    if (waitingPairs <= kMaxDrafts + 1) {
        m_memory.chains().add(positions - 1, draftNs);
    } else {
        m_memory.addPairs(waitingPairs, draftNs - m_memory.chainNs(positions - 1));
    }
}

}  // namespace gatescope
