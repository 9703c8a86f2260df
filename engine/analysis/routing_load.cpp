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

RoutingLoadCounter::RoutingLoadCounter(RoutingShape shape) {
    m_load.shape = std::move(shape);
}

void RoutingLoadCounter::add(const StepTrace& step) {
    for (const RoutedToken& token : step.tokens) {
        add(token, false);
    }
    for (const RoutedToken& token : step.mtp) {
        add(token, true);
    }
}

void RoutingLoadCounter::add(const RoutedToken& token, bool mtp) {
    if (token.routing.rows() == 0) {
        return;  // not recorded: it must not count in n either
    }
    const std::size_t mainRows = m_load.shape.layers.size();
    if (mtp && m_load.shape.mtpLayer < 0) {
        throw Error("routing: an MTP position in a model without an MTP layer");
    }
    checkRouting(m_load.shape, token.routing, mtp ? 1 : mainRows);

    auto& kind = token.special ? m_load.special : m_load.phases;
    PhaseLoad& phase = kind.at(static_cast<std::size_t>(token.phase));
    if (phase.counts.empty()) {
        const std::size_t cells = static_cast<std::size_t>(m_load.rows()) *
                                  static_cast<std::size_t>(std::max(m_load.shape.experts, 0));
        phase.counts.assign(cells, 0);
        phase.gateMass.assign(cells, 0.0);
    }
    ++(mtp ? phase.mtpTokens : phase.tokens);
    const auto experts = static_cast<std::size_t>(m_load.shape.experts);
    const auto topK = static_cast<std::size_t>(m_load.shape.topK);
    for (std::size_t i = 0; i < token.routing.experts.size(); ++i) {
        const std::size_t row = mtp ? mainRows : i / topK;
        const std::size_t index = row * experts + token.routing.experts[i];
        ++phase.counts[index];
        phase.gateMass[index] += static_cast<double>(token.routing.weights[i]);
    }
}

std::shared_ptr<const RoutingLoad> RoutingLoadCounter::snapshot() const {
    return std::make_shared<const RoutingLoad>(m_load);
}

}  // namespace gatescope
