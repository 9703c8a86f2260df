// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/transitions.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <tuple>
#include <utility>

#include "engine/analysis/routing_check.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
using Slots = std::span<const std::uint16_t>;

double ratio(double numerator, double denominator) {
    return denominator > 0 ? numerator / denominator : kNaN;
}

std::int64_t chosen(Slots slots) {
    return std::count_if(slots.begin(), slots.end(),
                         [](std::uint16_t expert) { return expert != kNoExpert; });
}

/// How many of the token's choices are among the `count` best scores (ties: lower id).
template <typename Score>
std::int64_t hits(const std::vector<Score>& scores, Slots slots, std::int64_t count) {
    std::int64_t found = 0;
    for (const std::uint16_t expert : slots) {
        if (expert == kNoExpert) {
            continue;
        }
        // Named if fewer than `count` come before it; no sorting is needed to know that.
        const Score own = scores[expert];
        std::int64_t before = 0;
        for (std::size_t i = 0; i < expert; ++i) {
            before += scores[i] >= own ? 1 : 0;
        }
        for (std::size_t i = expert + std::size_t{1}; i < scores.size(); ++i) {
            before += scores[i] > own ? 1 : 0;
        }
        found += before < count ? 1 : 0;
    }
    return found;
}

void predict(TransitionValue& pair, Slots from, Slots to) {
    const std::size_t experts = pair.singles.size();
    std::vector<std::uint64_t> scores(experts, 0);
    for (const std::uint16_t expert : from) {
        if (expert == kNoExpert) {
            continue;
        }
        const std::uint32_t* counts = pair.counts.data() + expert * experts;
        for (std::size_t next = 0; next < experts; ++next) {
            scores[next] += counts[next];
        }
    }
    ++pair.predicted;
    pair.predictedChoices += chosen(to);
    pair.recalled += hits(scores, to, pair.topK);
    pair.popularRecalled += hits(pair.nextSingles, to, pair.topK);
}

void learn(TransitionValue& pair, Slots from, Slots to) {
    const std::size_t experts = pair.singles.size();
    for (const std::uint16_t expert : from) {
        if (expert == kNoExpert) {
            continue;
        }
        ++pair.singles[expert];
        std::uint32_t* counts = pair.counts.data() + expert * experts;
        for (const std::uint16_t next : to) {
            if (next != kNoExpert) {
                ++counts[next];
                ++pair.pairs;
            }
        }
    }
    for (const std::uint16_t next : to) {
        if (next != kNoExpert) {
            ++pair.nextSingles[next];
        }
    }
    ++pair.n;
}

/// Sums over experts seen of 1 - p_i: the experts seen less the mean number of choices.
double freedom(const std::vector<std::uint32_t>& singles, std::int64_t n) {
    double sum = 0;
    for (const std::uint32_t single : singles) {
        if (single > 0) {
            sum += 1 - static_cast<double>(single) / static_cast<double>(n);
        }
    }
    return sum;
}

}  // namespace

std::int64_t TransitionValue::count(int i, int j) const {
    assert(i >= 0 && i < experts() && j >= 0 && j < experts());
    return counts.empty()
               ? 0
               : counts[static_cast<std::size_t>(i) * singles.size() + static_cast<std::size_t>(j)];
}

double TransitionValue::probability(int i, int j) const {
    return ratio(static_cast<double>(count(i, j)),
                 static_cast<double>(singles[static_cast<std::size_t>(i)]));
}

double TransitionValue::chanceProbability(int j) const {
    assert(j >= 0 && j < experts());
    return ratio(static_cast<double>(nextSingles[static_cast<std::size_t>(j)]),
                 static_cast<double>(n));
}

std::vector<NextExpert> TransitionValue::topNext(int i, int limit) const {
    std::vector<NextExpert> found;
    for (int j = 0; j < experts(); ++j) {
        if (const std::int64_t both = count(i, j); both > 0) {
            found.push_back({j, both, probability(i, j)});
        }
    }
    std::sort(found.begin(), found.end(), [](const NextExpert& a, const NextExpert& b) {
        return std::tuple(-a.count, a.expert) < std::tuple(-b.count, b.expert);
    });
    found.resize(std::min(found.size(), static_cast<std::size_t>(std::max(limit, 0))));
    return found;
}

double TransitionValue::mutualInformation() const {
    if (pairs == 0) {
        return kNaN;
    }
    const std::size_t size = singles.size();
    std::vector<double> rowSums(size, 0);
    std::vector<double> columnSums(size, 0);
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j < size; ++j) {
            rowSums[i] += counts[i * size + j];
            columnSums[j] += counts[i * size + j];
        }
    }
    const auto total = static_cast<double>(pairs);
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j < size; ++j) {
            const double both = counts[i * size + j];
            if (both > 0) {
                sum += both / total * std::log(both * total / (rowSums[i] * columnSums[j]));
            }
        }
    }
    return sum;
}

double TransitionValue::mutualInformationBias() const {
    return pairs == 0
               ? kNaN
               : freedom(singles, n) * freedom(nextSingles, n) / (2 * static_cast<double>(pairs));
}

double TransitionValue::correctedMutualInformation() const {
    return mutualInformation() - mutualInformationBias();
}

double TransitionValue::recall() const {
    return ratio(static_cast<double>(recalled), static_cast<double>(predictedChoices));
}

double TransitionValue::popularRecall() const {
    return ratio(static_cast<double>(popularRecalled), static_cast<double>(predictedChoices));
}

double TransitionValue::chanceRecall() const {
    return ratio(topK, experts());
}

TransitionCounter::TransitionCounter(RoutingShape shape) : m_shape(std::move(shape)) {
    checkPairShape(m_shape);
    for (std::size_t row = 0; row + 1 < m_shape.layers.size(); ++row) {
        TransitionValue& pair = m_rows.emplace_back();
        pair.row = static_cast<int>(row);
        pair.layer = m_shape.layers[row];
        pair.nextLayer = m_shape.layers[row + 1];
        pair.topK = m_shape.topK;
        pair.singles.assign(static_cast<std::size_t>(m_shape.experts), 0);
        pair.nextSingles = pair.singles;
    }
    const int pairs = std::max(1, m_shape.topK) * std::max(1, m_shape.topK);
    m_recentLimit = static_cast<std::size_t>(std::clamp(kRecentPairs / pairs, 1, kRecentTokens));
}

void TransitionCounter::add(const RoutedToken& token, bool mtp) {
    if (mtp || token.routing.rows() == 0) {
        return;
    }
    checkChoices(m_shape, token.routing, m_shape.layers.size());
    if (!isOrdinaryWork(token, mtp)) {
        return;
    }
    remember(token.routing.experts);
    const bool predicting = ++m_tokens % kPredictEvery == 0;
    const auto topK = static_cast<std::size_t>(m_shape.topK);
    const Slots slots(token.routing.experts);
    for (std::size_t row = 0; row < m_rows.size(); ++row) {
        TransitionValue& pair = m_rows[row];
        const Slots from = slots.subspan(row * topK, topK);
        const Slots to = slots.subspan((row + 1) * topK, topK);
        if (chosen(from) == 0 || chosen(to) == 0) {
            continue;
        }
        if (pair.counts.empty()) {
            pair.counts.assign(pair.singles.size() * pair.singles.size(), 0);
        }
        if (predicting) {
            predict(pair, from, to);
        }
        learn(pair, from, to);
    }
}

TransitionValue TransitionCounter::value(int row) const {
    assert(row >= 0 && row < rows());
    return m_rows[static_cast<std::size_t>(row)];
}

void TransitionCounter::remember(const std::vector<std::uint16_t>& experts) {
    if (m_rows.empty()) {
        return;
    }
    if (m_recent.size() < m_recentLimit * experts.size()) {
        m_recent.insert(m_recent.end(), experts.begin(), experts.end());
        return;
    }
    std::copy(experts.begin(), experts.end(),
              m_recent.begin() + static_cast<std::ptrdiff_t>(m_oldest * experts.size()));
    m_oldest = (m_oldest + 1) % m_recentLimit;
}

PairedChoices TransitionCounter::recent(int row) const {
    assert(row >= 0 && row < rows());
    const auto topK = static_cast<std::size_t>(m_shape.topK);
    const std::size_t width = m_shape.layers.size() * topK;
    const std::size_t tokens = m_recent.size() / width;
    PairedChoices out{m_shape.experts, m_shape.topK, {}, {}};
    for (std::size_t i = 0; i < tokens; ++i) {
        const Slots slots = Slots(m_recent).subspan((m_oldest + i) % tokens * width, width);
        const Slots from = slots.subspan(static_cast<std::size_t>(row) * topK, topK);
        const Slots to = slots.subspan((static_cast<std::size_t>(row) + 1) * topK, topK);
        if (chosen(from) > 0 && chosen(to) > 0) {
            out.from.insert(out.from.end(), from.begin(), from.end());
            out.to.insert(out.to.end(), to.begin(), to.end());
        }
    }
    return out;
}

ShiftBaseline TransitionCounter::recentBaseline(int row) const {
    assert(row >= 0 && row < rows());
    const std::int64_t n = m_rows[static_cast<std::size_t>(row)].n;
    if (m_baseline.row != row || n - m_baseline.n >= m_baseline.value.n / 8) {
        m_baseline = {row, n, shiftBaseline(recent(row))};
    }
    return m_baseline.value;
}

}  // namespace gatescope
