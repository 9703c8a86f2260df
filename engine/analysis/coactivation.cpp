// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/coactivation.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <tuple>
#include <utility>

#include "engine/analysis/routing_check.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Index of pair (low, high), low < high, in the upper triangle stored row by row.
std::size_t triangleIndex(std::size_t low, std::size_t high, std::size_t experts) {
    return low * (2 * experts - low - 1) / 2 + (high - low - 1);
}

double ratio(double numerator, double denominator) {
    return denominator > 0 ? numerator / denominator : kNaN;
}

void keepTop(std::vector<ExpertPair>& pairs, int count) {
    const auto kept = std::min(pairs.size(), static_cast<std::size_t>(std::max(count, 0)));
    const auto better = [](const ExpertPair& a, const ExpertPair& b) {
        return std::tuple(-a.lift, a.first, a.second) < std::tuple(-b.lift, b.first, b.second);
    };
    std::partial_sort(pairs.begin(), pairs.begin() + static_cast<std::ptrdiff_t>(kept), pairs.end(),
                      better);
    pairs.resize(kept);
}

void appendPair(std::vector<ExpertPair>& pairs, const CoactivationValue& value, int i, int j) {
    if (i == j || value.masked(i, j)) {
        return;
    }
    pairs.push_back({std::min(i, j), std::max(i, j), value.joint(i, j), value.expectedCount(i, j),
                     value.lift(i, j), value.phi(i, j)});
}

/// Adds one token's choices in one row; the table appears with the first of them.
void addRow(CoactivationValue& row, std::span<const std::uint16_t> slots) {
    const std::size_t experts = row.singles.size();
    if (row.jointCounts.empty()) {
        row.jointCounts.assign(experts * (experts - 1) / 2, 0);
    }
    std::int64_t chosen = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (slots[i] == kNoExpert) {
            continue;
        }
        ++row.singles[slots[i]];
        for (std::size_t j = 0; j < i; ++j) {
            if (slots[j] != kNoExpert) {
                const auto [low, high] = std::minmax(slots[i], slots[j]);
                ++row.jointCounts[triangleIndex(low, high, experts)];
            }
        }
        ++chosen;
    }
    row.n += chosen > 0 ? 1 : 0;
    row.choices += chosen;
    row.pairs += chosen * (chosen - 1) / 2;
}

}  // namespace

std::int64_t CoactivationValue::joint(int i, int j) const {
    assert(i >= 0 && i < experts() && j >= 0 && j < experts());
    if (i == j) {
        return singles[static_cast<std::size_t>(i)];
    }
    if (jointCounts.empty()) {
        return 0;
    }
    return jointCounts[triangleIndex(static_cast<std::size_t>(std::min(i, j)),
                                     static_cast<std::size_t>(std::max(i, j)), singles.size())];
}

double CoactivationValue::conditional(int i, int j) const {
    return ratio(static_cast<double>(joint(i, j)), static_cast<double>(joint(j, j)));
}

double CoactivationValue::chanceConditional() const {
    // With k choices by every token: n k (k - 1) / (n k (E - 1)).
    return ratio(2.0 * static_cast<double>(pairs), static_cast<double>(choices) * (experts() - 1));
}

double CoactivationValue::lift(int i, int j) const {
    const double expected = static_cast<double>(joint(i, i)) * static_cast<double>(joint(j, j));
    return ratio(static_cast<double>(joint(i, j)) * static_cast<double>(n), expected);
}

double CoactivationValue::expectedLift() const {
    // chanceConditional() over the mean p = choices / (n E).
    return ratio(chanceConditional() * static_cast<double>(n) * experts(),
                 static_cast<double>(choices));
}

double CoactivationValue::expectedCount(int i, int j) const {
    if (n == 0) {
        return 0;
    }
    return static_cast<double>(joint(i, i)) * static_cast<double>(joint(j, j)) /
           static_cast<double>(n) * expectedLift();
}

bool CoactivationValue::masked(int i, int j) const {
    // Written so that an undefined expectation (one expert only) is masked as well.
    return !(expectedCount(i, j) >= kMinExpectedPairs);
}

double CoactivationValue::phi(int i, int j) const {
    const auto total = static_cast<double>(n);
    const auto a = static_cast<double>(joint(i, i));
    const auto b = static_cast<double>(joint(j, j));
    const double variances = a * (total - a) * b * (total - b);
    return ratio(static_cast<double>(joint(i, j)) * total - a * b, std::sqrt(variances));
}

std::vector<ExpertPair> CoactivationValue::topPairs(int count) const {
    std::vector<ExpertPair> found;
    for (int i = 0; i < experts(); ++i) {
        for (int j = i + 1; j < experts(); ++j) {
            appendPair(found, *this, i, j);
        }
    }
    keepTop(found, count);
    return found;
}

std::vector<ExpertPair> CoactivationValue::topPairsOf(int expert, int count) const {
    std::vector<ExpertPair> found;
    for (int other = 0; other < experts(); ++other) {
        appendPair(found, *this, expert, other);
    }
    keepTop(found, count);
    return found;
}

CoactivationCounter::CoactivationCounter(RoutingShape shape) : m_shape(std::move(shape)) {
    checkPairShape(m_shape);
    std::vector<int> layers = m_shape.layers;
    if (m_shape.mtpLayer >= 0) {
        layers.push_back(m_shape.mtpLayer);
    }
    for (const int layer : layers) {
        CoactivationValue& row = m_rows.emplace_back();
        row.row = static_cast<int>(m_rows.size()) - 1;
        row.layer = layer;
        row.singles.assign(static_cast<std::size_t>(m_shape.experts), 0);
    }
}

void CoactivationCounter::add(const RoutedToken& token, bool mtp) {
    if (token.routing.rows() == 0) {
        return;
    }
    if (mtp && m_shape.mtpLayer < 0) {
        throw Error("routing: an MTP position in a model without an MTP layer");
    }
    const std::size_t rows = mtp ? 1 : m_shape.layers.size();
    checkChoices(m_shape, token.routing, rows);
    if (!isOrdinaryWork(token, mtp)) {
        return;
    }
    const auto topK = static_cast<std::size_t>(m_shape.topK);
    const std::span<const std::uint16_t> slots(token.routing.experts);
    const std::size_t first = mtp ? m_shape.layers.size() : 0;
    for (std::size_t row = 0; row < rows; ++row) {
        addRow(m_rows[first + row], slots.subspan(row * topK, topK));
    }
}

void CoactivationCounter::merge(const CoactivationCounter& other) {
    assert(rows() == other.rows());
    for (std::size_t i = 0; i < m_rows.size(); ++i) {
        CoactivationValue& into = m_rows[i];
        const CoactivationValue& from = other.m_rows[i];
        into.n += from.n;
        into.choices += from.choices;
        into.pairs += from.pairs;
        into.jointCounts.resize(std::max(into.jointCounts.size(), from.jointCounts.size()));
        const std::plus<> sum;
        std::transform(from.singles.begin(), from.singles.end(), into.singles.begin(),
                       into.singles.begin(), sum);
        std::transform(from.jointCounts.begin(), from.jointCounts.end(), into.jointCounts.begin(),
                       into.jointCounts.begin(), sum);
    }
}

CoactivationValue CoactivationCounter::value(int row) const {
    assert(row >= 0 && row < rows());
    return m_rows[static_cast<std::size_t>(row)];
}

}  // namespace gatescope
