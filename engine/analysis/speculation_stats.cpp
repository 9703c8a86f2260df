// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/speculation_stats.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double ratio(double part, double whole) {
    return whole > 0 ? part / whole : kNaN;
}

double ratio(std::int64_t part, std::int64_t whole) {
    return ratio(static_cast<double>(part), static_cast<double>(whole));
}

void addOutcomes(DraftOutcomes& to, const DraftOutcomes& from) {
    to.resize(std::max(to.size(), from.size()));
    for (std::size_t d = 0; d < from.size(); ++d) {
        to[d].resize(std::max(to[d].size(), from[d].size()));
        for (std::size_t a = 0; a < from[d].size(); ++a) {
            to[d][a] += from[d][a];
        }
    }
}

}  // namespace

SpeculationCounter::SpeculationCounter(RoutingShape shape,
                                       std::function<TokenClass(std::int32_t id)> classOf)
    : m_shape(std::move(shape)), m_classOf(std::move(classOf)), m_reads(m_shape.layers.size()) {}

void SpeculationCounter::Times::add(std::int64_t ns) {
    if (newest.size() < kKeptTimes) {
        newest.push_back(ns);
    } else {
        newest[static_cast<std::size_t>(n) % kKeptTimes] = ns;
    }
    ++n;
    sum += static_cast<double>(ns);
}

void SpeculationCounter::Times::merge(const Times& other) {
    const std::size_t kept = other.newest.size();
    const double all = sum + other.sum;
    n += other.n - static_cast<std::int64_t>(kept);  // those it let go
    if (kept == kKeptTimes) newest.resize(kept);     // none of ours is new enough to stay
    for (std::size_t i = 0; i < kept; ++i) {         // the oldest first
        add(other.newest[(static_cast<std::size_t>(other.n) + i) % kept]);
    }
    sum = all;
}

TimeSummary SpeculationCounter::Times::summary() const {
    TimeSummary out{n, ratio(sum, static_cast<double>(n)), kNaN,
                    static_cast<std::int64_t>(newest.size())};
    if (!newest.empty()) {
        std::vector<std::int64_t> times = newest;
        const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
        std::nth_element(times.begin(), middle, times.end());
        out.medianNs = static_cast<double>(*middle);
        if (times.size() % 2 == 0) {
            const auto below = *std::max_element(times.begin(), middle);
            out.medianNs = (out.medianNs + static_cast<double>(below)) / 2;
        }
    }
    return out;
}

void SpeculationCounter::check(const StepTrace& step) const {
    const SpeculativeStep& at = *step.speculation;
    if (at.drafts.size() > static_cast<std::size_t>(kDeepest) || at.accepted < 0 ||
        at.accepted > at.drafted()) {
        throw Error(fmt::format("step {}: {} of {} drafts accepted", step.step, at.accepted,
                                at.drafts.size()));
    }
    for (const auto* experts : {&at.distinctExperts, &at.wastedExperts}) {
        if (!experts->empty() && experts->size() != m_shape.layers.size()) {
            throw Error(fmt::format("step {}: expert reads of {} MoE layers, the model has {}",
                                    step.step, experts->size(), m_shape.layers.size()));
        }
    }
    for (std::size_t row = 0; row < at.wastedExperts.size(); ++row) {
        if (row >= at.distinctExperts.size() || at.wastedExperts[row] > at.distinctExperts[row]) {
            throw Error(fmt::format("step {}: MoE layer {} wasted more experts than it read",
                                    step.step, m_shape.layers[row]));
        }
    }
}

void SpeculationCounter::add(const StepTrace& step) {
    if (!step.speculation) {
        const bool plain = step.tokens.size() == 1 && step.tokens.front().phase == Phase::Decode;
        if (plain) {
            m_plain.add(step.timing.totalNs() - step.timing.draftNs);
        }
        if (plain || step.tokens.empty()) {
            m_otherDraftNs += static_cast<double>(step.timing.draftNs);
        }
        return;
    }
    check(step);
    const SpeculativeStep& at = *step.speculation;
    if (at.drafts.empty()) {
        return;  // nothing was judged
    }
    VerifyStep out{at.source, at.drafted(), at.accepted, 0, 0, step.timing.totalNs()};
    addReads(step, out);
    addDrafts(at);
    countOutcome(m_outcomes[static_cast<std::size_t>(at.source)], out.drafted, out.accepted);
    Group& group = m_groups[{at.source, out.drafted}];
    group.accepted += at.accepted;
    group.total.add(out.ns);
    group.draft.add(step.timing.draftNs);
    group.verify.add(out.ns - step.timing.draftNs);
    keepStep(out);
    m_drafted += out.drafted;
    m_accepted += out.accepted;
    m_verifyNs += static_cast<double>(out.ns);
}

void SpeculationCounter::keepStep(const VerifyStep& step) {
    if (m_steps.size() < kKeptSteps) {
        m_steps.push_back(step);
    } else {
        m_steps[static_cast<std::size_t>(m_verifySteps) % kKeptSteps] = step;
    }
    ++m_verifySteps;
}

void SpeculationCounter::merge(const SpeculationCounter& other) {
    const std::size_t kept = other.m_steps.size();
    m_verifySteps += other.m_verifySteps - static_cast<std::int64_t>(kept);  // those it let go
    if (kept == kKeptSteps) m_steps.resize(kept);  // none of ours is new enough to stay
    for (std::size_t i = 0; i < kept; ++i) {       // the oldest first
        keepStep(other.m_steps[(static_cast<std::size_t>(other.m_verifySteps) + i) % kept]);
    }
    m_drafted += other.m_drafted;
    m_accepted += other.m_accepted;
    m_verifyNs += other.m_verifyNs;
    for (std::size_t source = 0; source < m_outcomes.size(); ++source) {
        addOutcomes(m_outcomes[source], other.m_outcomes[source]);
    }
    for (std::size_t i = 0; i < m_classes.size(); ++i) {
        m_classes[i][0] += other.m_classes[i][0];
        m_classes[i][1] += other.m_classes[i][1];
    }
    m_reads.resize(std::max(m_reads.size(), other.m_reads.size()));
    for (std::size_t i = 0; i < other.m_reads.size(); ++i) {
        m_reads[i].distinct += other.m_reads[i].distinct;
        m_reads[i].wasted += other.m_reads[i].wasted;
        m_reads[i].plain += other.m_reads[i].plain;
        m_reads[i].uniform += other.m_reads[i].uniform;
    }
    m_stepsWithReads += other.m_stepsWithReads;
    m_plain.merge(other.m_plain);
    m_otherDraftNs += other.m_otherDraftNs;
    for (const auto& [key, group] : other.m_groups) {
        Group& into = m_groups[key];
        into.accepted += group.accepted;
        into.total.merge(group.total);
        into.draft.merge(group.draft);
        into.verify.merge(group.verify);
    }
    m_draftProbability += other.m_draftProbability;
    m_targetProbability += other.m_targetProbability;
    m_judged += other.m_judged;
    m_withProbabilities += other.m_withProbabilities;
}

void SpeculationCounter::addDrafts(const SpeculativeStep& step) {
    const auto accepted = static_cast<std::size_t>(step.accepted);
    for (std::size_t i = 0; i < step.drafts.size() && i <= accepted; ++i) {
        const DraftedToken& draft = step.drafts[i];
        ++m_judged;
        if (std::isfinite(draft.draftProbability) && std::isfinite(draft.targetProbability)) {
            ++m_withProbabilities;
            m_draftProbability += static_cast<double>(draft.draftProbability);
            m_targetProbability += static_cast<double>(draft.targetProbability);
        }
        if (m_classOf) {
            auto& [judged, kept] = m_classes[static_cast<std::size_t>(m_classOf(draft.id))];
            ++judged;
            kept += i < accepted ? 1 : 0;
        }
    }
}

SpeculationCounter::Choices SpeculationCounter::choicesOf(const StepTrace& step,
                                                          std::size_t row) const {
    const SpeculativeStep& at = *step.speculation;
    Choices out;
    for (const RoutedToken& token : step.tokens) {
        const TokenRouting& routing = token.routing;
        const std::size_t rows = routing.margins.size();
        if (row >= rows) {
            continue;
        }
        const std::size_t slots = routing.experts.size() / rows;
        const auto first = routing.experts.begin() + static_cast<std::ptrdiff_t>(row * slots);
        // Under interventions a layer may choose fewer than others.
        const auto unused =
            std::count(first, first + static_cast<std::ptrdiff_t>(slots), kNoExpert);
        const std::int64_t chosen = static_cast<std::int64_t>(slots) - unused;
        ++out.positions;
        out.all += chosen;
        out.kept += token.phase != Phase::Rejected ? chosen : 0;
    }
    // More where the answer ended within the drafts: what lay behind was read all the same.
    if (out.positions <= at.drafted()) {  // the union is known, the choices are not
        out.positions = at.drafted() + 1;
        out.all = std::int64_t{out.positions} * m_shape.topK;
        out.kept = std::int64_t{at.accepted + 1} * m_shape.topK;
    }
    return out;
}

void SpeculationCounter::addReads(const StepTrace& step, VerifyStep& out) {
    const SpeculativeStep& at = *step.speculation;
    if (at.distinctExperts.empty() || m_shape.experts <= 0) {
        return;
    }
    ++m_stepsWithReads;
    const double experts = m_shape.experts;
    for (std::size_t row = 0; row < m_reads.size(); ++row) {
        const Choices choices = choicesOf(step, row);
        const double k = static_cast<double>(choices.all) / choices.positions;
        const int wasted = at.wastedExperts.empty() ? 0 : at.wastedExperts[row];
        Reads& sums = m_reads[row];
        sums.distinct += at.distinctExperts[row];
        sums.wasted += wasted;
        sums.plain += choices.kept;
        sums.uniform +=
            experts * (1.0 - std::pow(std::max(0.0, 1.0 - k / experts), choices.positions));
        out.distinctExperts += at.distinctExperts[row];
        out.wastedExperts += wasted;
    }
}

LayerReads SpeculationCounter::layerReads(const Reads& sums) const {
    LayerReads out;
    const auto n = static_cast<double>(m_stepsWithReads);
    out.steps = m_stepsWithReads;
    out.distinct = ratio(static_cast<double>(sums.distinct), n);
    out.plain = ratio(static_cast<double>(sums.plain), n);
    out.uniform = ratio(sums.uniform, n);
    out.wasted = ratio(static_cast<double>(sums.wasted), n);
    out.wastedShare = ratio(sums.wasted, sums.distinct);
    out.ratio = ratio(sums.distinct, sums.plain);
    return out;
}

void SpeculationCounter::fillCosts(SpeculationValue& value) const {
    const double plain = value.plain.meanNs;
    for (const auto& [key, group] : m_groups) {
        VerifyCost cost;
        std::tie(cost.source, cost.depth) = key;
        cost.accepted = group.accepted;
        cost.total = group.total.summary();
        cost.draft = group.draft.summary();
        cost.verify = group.verify.summary();
        cost.length = 1.0 + ratio(group.accepted, group.total.n);
        cost.draftCost = cost.draft.meanNs / cost.depth / plain;
        cost.verifyCost = cost.verify.meanNs / plain;
        cost.gain = cost.length / (cost.depth * cost.draftCost + cost.verifyCost) - 1.0;
        cost.equalAcceptance = acceptanceFor(cost.length, cost.depth);
        cost.breakEven = breakEvenAcceptance(cost.depth, cost.draftCost, cost.verifyCost);
        value.costs.push_back(cost);
    }
}

SpeculationGain SpeculationCounter::gain() const {
    SpeculationGain out;
    out.plainSteps = m_plain.n;
    out.verifySteps = m_verifySteps;
    const double plainNs = ratio(m_plain.sum, static_cast<double>(m_plain.n));
    const double ns = m_verifyNs + m_otherDraftNs;
    const auto steps = static_cast<double>(m_verifySteps);
    out.plainTokensPerSecond = ratio(1e9, plainNs);
    if (m_verifySteps > 0) {
        out.tokensPerSecond = ratio(1e9 * (steps + static_cast<double>(m_accepted)), ns);
    }
    out.gain = out.tokensPerSecond / out.plainTokensPerSecond - 1.0;
    out.breakEven = ratio(ns / plainNs - steps, static_cast<double>(m_drafted));
    return out;
}

SpeculationValue SpeculationCounter::value() const {
    SpeculationValue out;
    out.shape = m_shape;
    const auto oldest = m_steps.size() < kKeptSteps
                            ? std::ptrdiff_t{0}
                            : static_cast<std::ptrdiff_t>(m_verifySteps % kKeptSteps);
    out.steps.assign(m_steps.begin() + oldest, m_steps.end());
    out.steps.insert(out.steps.end(), m_steps.begin(), m_steps.begin() + oldest);
    out.earlierSteps = m_verifySteps - static_cast<std::int64_t>(m_steps.size());
    DraftOutcomes all;
    for (std::size_t source = 0; source < m_outcomes.size(); ++source) {
        addOutcomes(all, m_outcomes[source]);
        out.bySource[source] = speculationRates(m_outcomes[source]);
    }
    out.all = speculationRates(all);
    for (std::size_t d = 0; d < all.size(); ++d) {
        DraftOutcomes only(d + 1);
        only[d] = all[d];
        out.byDepth.push_back(speculationRates(only));
    }
    for (std::size_t i = 0; i < out.byClass.size(); ++i) {
        const auto [judged, accepted] = m_classes[i];
        out.byClass[i] = {static_cast<TokenClass>(i), judged, accepted, ratio(accepted, judged),
                          wilson95(accepted, judged)};
    }
    Reads sums;
    for (std::size_t row = 0; row < m_reads.size(); ++row) {
        out.layers.push_back(layerReads(m_reads[row]));
        out.layers.back().layer = m_shape.layers[row];
        sums.distinct += m_reads[row].distinct;
        sums.wasted += m_reads[row].wasted;
        sums.plain += m_reads[row].plain;
        sums.uniform += m_reads[row].uniform;
    }
    out.reads = layerReads(sums);
    out.distinctReads = sums.distinct;
    out.wastedReads = sums.wasted;
    out.plain = m_plain.summary();
    out.judged = m_judged;
    const auto known = static_cast<double>(m_withProbabilities);
    out.withProbabilities = m_withProbabilities;
    out.meanDraftProbability = ratio(m_draftProbability, known);
    out.meanTargetProbability = ratio(m_targetProbability, known);
    out.gain = gain();
    fillCosts(out);
    return out;
}

}  // namespace gatescope
