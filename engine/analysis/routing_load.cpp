// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/routing_load.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <limits>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool inMask(int phase, unsigned mask) {
    return (mask >> phase & 1U) != 0;
}

std::size_t cell(const RoutingLoad& load, int row, int expert) {
    assert(row >= 0 && row < load.rows());
    assert(expert >= 0 && expert < load.shape.experts);
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(load.shape.experts) +
           static_cast<std::size_t>(expert);
}

bool isMtpRow(const RoutingLoad& load, int row) {
    return row >= static_cast<int>(load.shape.layers.size());
}

double gateMass(const std::vector<const PhaseLoad*>& parts, std::size_t index) {
    double sum = 0;
    for (const PhaseLoad* part : parts) {
        sum += part->gateMass[index];
    }
    return sum;
}

/// Routing may come from a file: everything the counter indexes with is checked first.
void checkRouting(const RoutingShape& shape, const TokenRouting& routing, std::size_t rows) {
    const std::size_t choices = rows * static_cast<std::size_t>(shape.topK);
    if (routing.margins.size() != rows || routing.experts.size() != choices ||
        routing.weights.size() != choices) {
        throw Error(fmt::format(
            "routing: {} rows with {} choices do not fit a model with {} rows of {} choices",
            routing.margins.size(), routing.experts.size(), rows, shape.topK));
    }
    for (const std::uint16_t expert : routing.experts) {
        if (expert >= shape.experts) {
            throw Error(fmt::format("routing: expert {} in a model with {} experts", expert,
                                    shape.experts));
        }
    }
}

/// Calls visit(index of the cell [row, expert], index of the choice) for all choices of a token.
template <typename Visit>
void forEachChoice(const RoutingShape& shape, const RoutedToken& token, std::size_t firstRow,
                   Visit&& visit) {
    const auto experts = static_cast<std::size_t>(shape.experts);
    const auto topK = static_cast<std::size_t>(shape.topK);
    const std::vector<std::uint16_t>& chosen = token.routing.experts;
    std::size_t row = firstRow * experts;
    for (std::size_t i = 0; i < chosen.size(); row += experts) {
        for (const std::size_t end = i + topK; i < end; ++i) {
            visit(row + chosen[i], i);
        }
    }
}

std::size_t partOf(const RoutedToken& token) {
    return 2 * static_cast<std::size_t>(token.phase) + (token.special ? 1 : 0);
}

void addStep(std::vector<StepSize>& sizes, const StepSize& step) {
    const auto at = std::lower_bound(
        sizes.begin(), sizes.end(), step.tokens,
        [](const StepSize& size, std::int64_t tokens) { return size.tokens < tokens; });
    if (at != sizes.end() && at->tokens == step.tokens) {
        at->steps += step.steps;
    } else {
        sizes.insert(at, step);
    }
}

template <typename Value>
void addTo(std::vector<Value>& sums, const std::vector<Value>& values) {
    if (sums.empty()) {
        sums = values;
        return;
    }
    for (std::size_t i = 0; i < values.size(); ++i) sums[i] += values[i];
}

void mergePart(PhaseLoad& into, const PhaseLoad& from) {
    into.tokens += from.tokens;
    into.mtpTokens += from.mtpTokens;
    addTo(into.counts, from.counts);
    addTo(into.gateMass, from.gateMass);
    addTo(into.stepMaxVio, from.stepMaxVio);
    for (const StepSize& size : from.stepSizes) addStep(into.stepSizes, size);
    for (const StepSize& size : from.mtpStepSizes) addStep(into.mtpStepSizes, size);
}

}  // namespace

int RoutingLoad::rowOfLayer(int layer) const {
    if (layer >= 0 && layer == shape.mtpLayer) {
        return static_cast<int>(shape.layers.size());
    }
    const auto found = std::lower_bound(shape.layers.begin(), shape.layers.end(), layer);
    return found != shape.layers.end() && *found == layer
               ? static_cast<int>(found - shape.layers.begin())
               : -1;
}

int RoutingLoad::layerOfRow(int row) const {
    assert(row >= 0 && row < rows());
    return isMtpRow(*this, row) ? shape.mtpLayer : shape.layers[static_cast<std::size_t>(row)];
}

std::vector<const PhaseLoad*> RoutingLoad::parts(unsigned phaseMask) const {
    std::vector<const PhaseLoad*> out;
    for (const auto* kind : {&phases, &special}) {
        if (kind == &special && (phaseMask & kSpecialTokens) == 0) {
            continue;
        }
        for (int phase = 0; phase < kPhaseCount; ++phase) {
            const PhaseLoad& part = (*kind)[static_cast<std::size_t>(phase)];
            if (inMask(phase, phaseMask) && !part.counts.empty()) {
                out.push_back(&part);
            }
        }
    }
    return out;
}

std::int64_t RoutingLoad::tokens(int row, unsigned phaseMask) const {
    std::int64_t sum = 0;
    for (const PhaseLoad* part : parts(phaseMask)) {
        sum += isMtpRow(*this, row) ? part->mtpTokens : part->tokens;
    }
    return sum;
}

std::int64_t RoutingLoad::count(int row, int expert, unsigned phaseMask) const {
    const std::size_t index = cell(*this, row, expert);
    std::int64_t sum = 0;
    for (const PhaseLoad* part : parts(phaseMask)) {
        sum += part->counts[index];
    }
    return sum;
}

double RoutingLoad::relativeLoad(int row, int expert, unsigned phaseMask) const {
    const auto choices = static_cast<double>(tokens(row, phaseMask)) * shape.topK;
    if (choices <= 0) {
        return kNaN;
    }
    return static_cast<double>(count(row, expert, phaseMask)) * shape.experts / choices;
}

double RoutingLoad::relativeGateMass(int row, int expert, unsigned phaseMask) const {
    const auto counted = parts(phaseMask);
    double total = 0;
    for (int other = 0; other < shape.experts; ++other) {
        total += gateMass(counted, cell(*this, row, other));
    }
    if (!(total > 0)) {
        return kNaN;
    }
    return gateMass(counted, cell(*this, row, expert)) * shape.experts / total;
}

double RoutingLoad::maxVio(int row, unsigned phaseMask) const {
    const auto choices = static_cast<double>(tokens(row, phaseMask)) * shape.topK;
    if (choices <= 0) {
        return kNaN;
    }
    std::int64_t largest = 0;
    for (int expert = 0; expert < shape.experts; ++expert) {
        largest = std::max(largest, count(row, expert, phaseMask));
    }
    return static_cast<double>(largest) * shape.experts / choices - 1;
}

std::vector<StepSize> RoutingLoad::stepSizes(int row, unsigned phaseMask) const {
    std::vector<StepSize> out;
    for (const PhaseLoad* part : parts(phaseMask)) {
        for (const StepSize& size : isMtpRow(*this, row) ? part->mtpStepSizes : part->stepSizes) {
            addStep(out, size);
        }
    }
    return out;
}

double RoutingLoad::stepMaxVio(int row, unsigned phaseMask) const {
    std::int64_t steps = 0;
    for (const StepSize& size : stepSizes(row, phaseMask)) {
        steps += size.steps;
    }
    double sum = 0;
    for (const PhaseLoad* part : parts(phaseMask)) {
        sum += part->stepMaxVio[static_cast<std::size_t>(row)];
    }
    return steps > 0 ? sum / static_cast<double>(steps) : kNaN;
}

void RoutingLoad::merge(const RoutingLoad& other) {
    assert(rows() == other.rows() && shape.experts == other.shape.experts);
    for (std::size_t phase = 0; phase < phases.size(); ++phase) {
        mergePart(phases[phase], other.phases[phase]);
        mergePart(special[phase], other.special[phase]);
    }
}

RoutingLoadCounter::RoutingLoadCounter(RoutingShape shape) {
    m_load.shape = std::move(shape);
}

void RoutingLoadCounter::add(const StepTrace& step) {
    for (const auto* tokens : {&step.tokens, &step.mtp}) {
        for (const RoutedToken& token : *tokens) {
            check(token, tokens == &step.mtp);
        }
    }
    for (const auto* tokens : {&step.tokens, &step.mtp}) {
        for (const RoutedToken& token : *tokens) {
            count(token, tokens == &step.mtp);
        }
        countStep(*tokens, tokens == &step.mtp);
    }
}

void RoutingLoadCounter::add(const RoutedToken& token, bool mtp) {
    check(token, mtp);
    count(token, mtp);
}

void RoutingLoadCounter::check(const RoutedToken& token, bool mtp) const {
    if (token.routing.rows() == 0) {
        return;
    }
    if (mtp && m_load.shape.mtpLayer < 0) {
        throw Error("routing: an MTP position in a model without an MTP layer");
    }
    if (static_cast<int>(token.phase) >= kPhaseCount) {
        throw Error(fmt::format("routing: a position of the unknown phase {}",
                                static_cast<int>(token.phase)));
    }
    checkRouting(m_load.shape, token.routing, mtp ? 1 : m_load.shape.layers.size());
}

PhaseLoad& RoutingLoadCounter::phaseOf(const RoutedToken& token) {
    auto& kind = token.special ? m_load.special : m_load.phases;
    return kind[static_cast<std::size_t>(token.phase)];
}

void RoutingLoadCounter::count(const RoutedToken& token, bool mtp) {
    if (token.routing.rows() == 0) {
        return;  // not recorded: it must not count in n either
    }
    PhaseLoad& phase = phaseOf(token);
    if (phase.counts.empty()) {
        const auto rows = static_cast<std::size_t>(m_load.rows());
        const std::size_t cells =
            rows * static_cast<std::size_t>(std::max(m_load.shape.experts, 0));
        phase.counts.assign(cells, 0);
        phase.gateMass.assign(cells, 0.0);
        phase.stepMaxVio.assign(rows, 0.0);
    }
    ++(mtp ? phase.mtpTokens : phase.tokens);
    const std::size_t firstRow = mtp ? m_load.shape.layers.size() : 0;
    forEachChoice(m_load.shape, token, firstRow, [&](std::size_t index, std::size_t i) {
        ++phase.counts[index];
        phase.gateMass[index] += static_cast<double>(token.routing.weights[i]);
    });
}

void RoutingLoadCounter::countStep(const std::vector<RoutedToken>& tokens, bool mtp) {
    std::array<std::vector<const RoutedToken*>, 2 * kPhaseCount> parts;
    for (const RoutedToken& token : tokens) {
        if (token.routing.rows() > 0) {
            parts[partOf(token)].push_back(&token);
        }
    }
    for (const std::vector<const RoutedToken*>& part : parts) {
        if (!part.empty()) {
            countStepPart(part, mtp);
        }
    }
}

void RoutingLoadCounter::countStepPart(const std::vector<const RoutedToken*>& tokens, bool mtp) {
    const RoutingShape& shape = m_load.shape;
    const auto experts = static_cast<std::size_t>(shape.experts);
    const std::size_t firstRow = mtp ? shape.layers.size() : 0;
    const std::size_t rows = mtp ? 1 : shape.layers.size();
    m_stepCounts.resize(static_cast<std::size_t>(m_load.rows()) * experts, 0);
    std::vector<std::int64_t> largest(rows, 0);
    for (const RoutedToken* token : tokens) {
        forEachChoice(shape, *token, firstRow, [&](std::size_t index, std::size_t) {
            std::int64_t& most = largest[index / experts - firstRow];
            most = std::max(most, ++m_stepCounts[index]);
        });
    }
    for (const RoutedToken* token : tokens) {  // cheaper than clearing all cells
        forEachChoice(shape, *token, firstRow,
                      [&](std::size_t index, std::size_t) { m_stepCounts[index] = 0; });
    }
    const auto size = static_cast<std::int64_t>(tokens.size());
    PhaseLoad& phase = phaseOf(*tokens.front());
    addStep(mtp ? phase.mtpStepSizes : phase.stepSizes, {size, 1});
    const double fair = static_cast<double>(size) * shape.topK / shape.experts;
    for (std::size_t row = 0; row < rows; ++row) {
        phase.stepMaxVio[firstRow + row] += static_cast<double>(largest[row]) / fair - 1;
    }
}

std::shared_ptr<const RoutingLoad> RoutingLoadCounter::snapshot() const {
    return std::make_shared<const RoutingLoad>(m_load);
}

}  // namespace gatescope
