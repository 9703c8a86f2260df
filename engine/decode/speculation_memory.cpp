// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/speculation_memory.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gatescope {

namespace {

// Before anything is known. Optimistic enough that drafting is tried: being wrong costs a step or
// two, not trying costs the whole gain.
constexpr double kFirstAcceptance = 0.75;
constexpr double kLookupAcceptance = 0.35;
constexpr double kPriorTrials = 4;
/// Of a pass of one position: what each further position, and each draft, is taken to cost.
constexpr double kPositionShare = 0.25;
constexpr double kDraftShare = 0.2;
/// Of a first draft: the cache row of a pair among many, which share the reading of the weights.
constexpr double kPairShare = 0.02;

}  // namespace

void CostCurve::add(int n, double ns) {
    if (n < 1 || n > kSizes) return;
    auto& s = m_sizes[static_cast<std::size_t>(n - 1)];
    if (s.count++ < kWarmUp) return;
    s.ns[static_cast<std::size_t>(s.count - kWarmUp - 1) % kWindow] = ns;
    auto known = s.ns;
    const auto count = std::min<std::int64_t>(s.count - kWarmUp, kWindow);
    const auto middle = known.begin() + (count - 1) / 2;
    std::nth_element(known.begin(), middle, known.begin() + count);
    s.median = *middle;
}

bool CostCurve::measured(int n) const {
    return n >= 1 && n <= kSizes && size(n).count > kWarmUp;
}

double CostCurve::extrapolated(int below, int n) const {
    double slope = size(below).median * kPositionShare;
    for (int other = below - 1; other >= 1; --other) {
        if (!measured(other)) continue;
        slope = std::max(0.0, (size(below).median - size(other).median) / (below - other));
        break;
    }
    return size(below).median + slope * (n - below);
}

double CostCurve::at(int n) const {
    if (measured(n)) return size(n).median;
    int below = n - 1, above = n + 1;
    while (below >= 1 && !measured(below)) --below;
    while (above <= kSizes && !measured(above)) ++above;
    if (below >= 1 && above <= kSizes) {
        const double share = static_cast<double>(n - below) / (above - below);
        return std::lerp(size(below).median, size(above).median, share);
    }
    if (below >= 1) return extrapolated(below, n);
    if (above > kSizes) return std::numeric_limits<double>::quiet_NaN();
    // Only larger ones: a step of fewer positions shares what all of them read.
    return size(above).median / (1 + kPositionShare * (above - n));
}

void FadingRate::add(bool hit) {
    m_hits = m_hits * kFade + (hit ? 1 : 0);
    m_trials = m_trials * kFade + 1;
}

double FadingRate::rate(double prior, double weight) const {
    return (m_hits + prior * weight) / (m_trials + weight);
}

double SpeculationMemory::mtpAcceptance(int position) const {
    // A deeper position begins with what is known of the one before it.
    double rate = kFirstAcceptance;
    for (int i = 0; i <= std::min(position, kMaxDrafts - 1); ++i)
        rate = m_mtp[static_cast<std::size_t>(i)].all.rate(rate, kPriorTrials);
    return rate;
}

double SpeculationMemory::mtpAcceptance(int position, float confidence) const {
    const auto at = static_cast<std::size_t>(std::min(position, kMaxDrafts - 1));
    return m_mtp[at].byConfidence[confidenceClass(confidence)].rate(mtpAcceptance(position),
                                                                    kPriorTrials);
}

double SpeculationMemory::lookupAcceptance(int matchLength) const {
    // A longer match begins with what is known of shorter ones.
    double rate = kLookupAcceptance;
    for (std::size_t i = 0; i <= lengthClass(matchLength); ++i)
        rate = m_lookup[i].rate(rate, kPriorTrials);
    return rate;
}

void SpeculationMemory::addOutcome(const SpeculativeStep& step) {
    const int judged = std::min(step.accepted + 1, step.drafted());
    for (int i = 0; i < judged; ++i) {
        const bool accepted = i < step.accepted;
        if (step.source == DraftSource::Lookup) {
            m_lookup[lengthClass(step.matchLength)].add(accepted);
            continue;
        }
        auto& position = m_mtp[static_cast<std::size_t>(i)];
        position.all.add(accepted);
        const float q = step.drafts[static_cast<std::size_t>(i)].draftProbability;
        position.byConfidence[confidenceClass(q)].add(accepted);
    }
}

double SpeculationMemory::chainNs(int drafts) const {
    const double ns = m_chains.at(drafts);
    return std::isnan(ns) ? kDraftShare * drafts * passNs(1) : ns;
}

double SpeculationMemory::pairNs() const {
    return m_pairNs > 0 ? m_pairNs : kPairShare * chainNs(1);
}

void SpeculationMemory::addPairs(std::int64_t pairs, double ns) {
    if (pairs > 0 && ns > 0) m_pairNs = ns / static_cast<double>(pairs);
}

bool SpeculationMemory::mtpLoses() const {
    if (!m_passes.measured(1)) return false;
    return (1 + mtpAcceptance(0)) * passNs(1) < passNs(2) + chainNs(1);
}

std::size_t SpeculationMemory::confidenceClass(float q) {
    constexpr std::array<float, kConfidences - 1> kBounds{0.3f, 0.6f, 0.85f, 0.97f};
    return static_cast<std::size_t>(std::upper_bound(kBounds.begin(), kBounds.end(), q) -
                                    kBounds.begin());
}

std::size_t SpeculationMemory::lengthClass(int matchLength) {
    constexpr std::array<int, kMatchLengths - 1> kBounds{3, 4, 6, 10};
    return static_cast<std::size_t>(std::upper_bound(kBounds.begin(), kBounds.end(), matchLength) -
                                    kBounds.begin());
}

}  // namespace gatescope
