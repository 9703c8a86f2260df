// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/specialisation.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::size_t at(int index) {
    assert(index >= 0);
    return static_cast<std::size_t>(index);
}

double quotient(double a, double b) {
    return b > 0 ? a / b : kNaN;
}

}  // namespace

int SpecialisationValue::layerOfRow(int row) const {
    assert(row >= 0 && row < rows());
    return at(row) < shape.layers.size() ? shape.layers[at(row)] : shape.mtpLayer;
}

int SpecialisationValue::rowOfLayer(int layer) const {
    if (layer >= 0 && layer == shape.mtpLayer) return static_cast<int>(shape.layers.size());
    const auto found = std::lower_bound(shape.layers.begin(), shape.layers.end(), layer);
    return found != shape.layers.end() && *found == layer
               ? static_cast<int>(found - shape.layers.begin())
               : -1;
}

double SpecialisationValue::chance() const {
    return quotient(shape.topK, shape.experts);
}

std::int64_t SpecialisationValue::tokens(int row, int domain, int half) const {
    if (half == kBothHalves) return tokens(row, domain, 0) + tokens(row, domain, 1);
    const int kind = at(row) < shape.layers.size() ? 0 : 1;
    return tokenCounts[at((kind * 2 + half) * domainCount() + domain)];
}

std::int64_t SpecialisationValue::count(int row, int expert, int domain, int half) const {
    if (half == kBothHalves) return count(row, expert, domain, 0) + count(row, expert, domain, 1);
    const std::size_t line =
        (at(row) * 2 + at(half)) * domains.size() + at(domain);  // rows x halves x domains
    return counts[line * at(shape.experts) + at(expert)];
}

double SpecialisationValue::affinity(int row, int expert, int domain, int half) const {
    return quotient(static_cast<double>(count(row, expert, domain, half)),
                    static_cast<double>(tokens(row, domain, half)));
}

double SpecialisationValue::lift(int row, int expert, int domain, int half) const {
    return affinity(row, expert, domain, half) / chance();
}

double SpecialisationValue::affinityShare(int row, int expert, int domain) const {
    double sum = 0;
    for (int other = 0; other < domainCount(); ++other) {
        const double value = affinity(row, expert, other);
        if (!std::isnan(value)) sum += value;
    }
    return quotient(affinity(row, expert, domain), sum);
}

double SpecialisationValue::ratio(int row, int expert, int domain, int half) const {
    double sum = 0;
    int others = 0;
    for (int other = 0; other < domainCount(); ++other) {
        if (other == domain || tokens(row, other, half) == 0) continue;
        sum += affinity(row, expert, other, half);
        ++others;
    }
    const double own = affinity(row, expert, domain, half);
    if (others == 0 || !(own > 0)) return others == 0 ? kNaN : own;  // own is 0 or NaN
    return sum > 0 ? own / (sum / others) : std::numeric_limits<double>::infinity();
}

double SpecialisationValue::gateShare(int row, int expert, int domain) const {
    const std::size_t first = (at(row) * domains.size() + at(domain)) * at(shape.experts);
    double sum = 0;
    for (std::size_t i = first; i < first + at(shape.experts); ++i) sum += gateMass[i];
    return quotient(gateMass[first + at(expert)], sum);
}

std::int64_t SpecialisationValue::enoughTokens() const {
    const double chosen = chance();
    if (!(chosen < 1)) return 1;
    return static_cast<std::int64_t>(
        std::ceil(std::log(shape.experts / 0.05) / -std::log1p(-chosen)));
}

SpecialisationCounter::SpecialisationCounter(RoutingShape shape, std::vector<std::string> domains,
                                             std::size_t vocabularyCells)
    : m_cellLimit(vocabularyCells) {
    m_counts.shape = std::move(shape);
    m_counts.domains = std::move(domains);
    const std::size_t lines = at(m_counts.rows()) * m_counts.domains.size();
    const std::size_t cells = lines * at(m_counts.shape.experts);
    m_counts.tokenCounts.assign(4 * m_counts.domains.size(), 0);
    m_counts.counts.assign(2 * cells, 0);
    m_counts.gateMass.assign(cells, 0.0);
}

void SpecialisationCounter::check(const RoutedToken& token, bool mtp, int domain, int half) const {
    const RoutingShape& shape = m_counts.shape;
    if (domain < 0 || domain >= m_counts.domainCount() || half < 0 || half > 1) {
        throw Error(fmt::format("specialisation: domain {}, half {} among {} domains", domain, half,
                                m_counts.domainCount()));
    }
    if (mtp && shape.mtpLayer < 0) {
        throw Error("specialisation: an MTP position in a model without an MTP layer");
    }
    const std::size_t rows = mtp ? 1 : shape.layers.size();
    const std::size_t choices = rows * at(shape.topK);
    const TokenRouting& routing = token.routing;
    if (routing.margins.size() != rows || routing.experts.size() != choices ||
        routing.weights.size() != choices) {
        throw Error(fmt::format(
            "specialisation: {} rows with {} choices do not fit a model with {} rows of {} choices",
            routing.margins.size(), routing.experts.size(), rows, shape.topK));
    }
    for (const std::uint16_t expert : routing.experts) {
        if (expert >= shape.experts) {
            throw Error(fmt::format("specialisation: expert {} in a model with {} experts", expert,
                                    shape.experts));
        }
    }
}

void SpecialisationCounter::add(const StepTrace& step, int domain, int half) {
    for (const RoutedToken& token : step.tokens) add(token, false, domain, half);
    for (const RoutedToken& token : step.mtp) add(token, true, domain, half);
}

void SpecialisationCounter::add(const RoutedToken& token, bool mtp, int domain, int half) {
    if (token.phase == Phase::Rejected) return;  // cost, but no output
    if (token.special || token.routing.rows() == 0) {
        if (!mtp) m_pending.reset();  // what follows the position before is not an ordinary token
        return;
    }
    check(token, mtp, domain, half);
    countDomain(token, mtp, domain, half);
    countVocabulary(VocabularyKey::Input, token.tokenId, domain, token.routing.experts, mtp);
    if (mtp) return;
    resolvePending(token, domain, half);
    m_pending = Pending{token.position, domain, half, token.routing.experts};
}

void SpecialisationCounter::countDomain(const RoutedToken& token, bool mtp, int domain, int half) {
    const std::size_t experts = at(m_counts.shape.experts);
    const std::size_t domainCount = m_counts.domains.size();
    ++m_counts.tokenCounts[((mtp ? 2U : 0U) + at(half)) * domainCount + at(domain)];
    const std::size_t firstRow = mtp ? m_counts.shape.layers.size() : 0;
    for (std::size_t i = 0; i < token.routing.experts.size(); ++i) {
        const std::size_t row = firstRow + i / at(m_counts.shape.topK);
        const std::size_t expert = token.routing.experts[i];
        ++m_counts.counts[((row * 2 + at(half)) * domainCount + at(domain)) * experts + expert];
        m_counts.gateMass[(row * domainCount + at(domain)) * experts + expert] +=
            static_cast<double>(token.routing.weights[i]);
    }
}

void SpecialisationCounter::resolvePending(const RoutedToken& token, int domain, int half) {
    if (m_pending && m_pending->position + 1 == token.position && m_pending->domain == domain &&
        m_pending->half == half) {
        countVocabulary(VocabularyKey::Next, token.tokenId, domain, m_pending->experts, false);
    }
}

void SpecialisationCounter::countVocabulary(VocabularyKey key, std::int32_t id, int domain,
                                            const std::vector<std::uint16_t>& experts, bool mtp) {
    const auto kind = static_cast<std::size_t>(key);
    SparseCounts& cells = m_cells[kind];
    // From the first token on that might not fit nothing more is counted: shares among the tokens
    // counted so far stay true, which they would not if only new cells were refused.
    if (m_counts.vocabularyFull || cells.size() + experts.size() > m_cellLimit) {
        m_counts.vocabularyFull = true;
        return;
    }
    const std::size_t firstRow = mtp ? m_counts.shape.layers.size() : 0;
    for (std::size_t i = 0; i < experts.size(); ++i) {
        const std::size_t row = firstRow + i / at(m_counts.shape.topK);
        const std::size_t expert = row * at(m_counts.shape.experts) + experts[i];
        const std::uint64_t cell = expert * m_counts.domains.size() + at(domain);
        cells.add(cell << 32 | static_cast<std::uint32_t>(id));
    }
    const std::uint64_t line = (mtp ? m_counts.domains.size() : 0) + at(domain);
    m_ids[kind].add(line << 32 | static_cast<std::uint32_t>(id));
    if (!mtp) ++m_counts.vocabularyTokens[kind];
}

}  // namespace gatescope
