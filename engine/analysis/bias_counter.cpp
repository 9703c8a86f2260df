// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_counter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "engine/analysis/bias_rows.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double ratio(double part, std::int64_t whole) {
    return whole > 0 ? part / static_cast<double>(whole) : kNaN;
}

double maxVio(const std::vector<std::int64_t>& counts) {
    std::int64_t sum = 0;
    std::int64_t largest = 0;
    for (const std::int64_t count : counts) {
        sum += count;
        largest = std::max(largest, count);
    }
    return ratio(static_cast<double>(largest) * static_cast<double>(counts.size()), sum) - 1;
}

/// Population standard deviation of n >= 1 values, and the largest magnitude among them.
struct Spread {
    double deviation = 0;
    double largest = 0;
};

Spread spreadOf(const float* values, std::size_t n) {
    constexpr std::size_t kLanes = 4;
    std::array<double, kLanes> sum{};
    std::array<double, kLanes> squares{};
    std::array<float, kLanes> largest{};
    const auto take = [&](std::size_t lane, float value) {
        const auto x = static_cast<double>(value);
        sum[lane] += x;
        squares[lane] += x * x;
        const float magnitude = std::abs(value);
        largest[lane] = magnitude > largest[lane] ? magnitude : largest[lane];
    };
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            take(lane, values[i + lane]);
        }
    }
    for (; i < n; ++i) {
        take(0, values[i]);
    }
    const auto count = static_cast<double>(n);
    const double mean = (sum[0] + sum[1] + sum[2] + sum[3]) / count;
    const double meanSquare = (squares[0] + squares[1] + squares[2] + squares[3]) / count;
    return {std::sqrt(std::max(0.0, meanSquare - mean * mean)),
            static_cast<double>(std::max({largest[0], largest[1], largest[2], largest[3]}))};
}

/// Two passes: a bias near 11 with differences of 0.01 would lose digits in one.
double deviationOf(const std::vector<float>& values) {
    double mean = 0;
    for (const float value : values) {
        mean += static_cast<double>(value);
    }
    mean /= static_cast<double>(values.size());
    double squares = 0;
    for (const float value : values) {
        squares += std::pow(static_cast<double>(value) - mean, 2);
    }
    return std::sqrt(squares / static_cast<double>(values.size()));
}

double sumOver(std::span<const std::int32_t> experts, const float* scores) {
    double sum = 0;
    for (const std::int32_t expert : experts) {
        sum += static_cast<double>(scores[expert]);
    }
    return sum;
}

void checkRouting(const RoutingShape& shape, const TokenRouting& routing, bool mtp) {
    if (mtp && shape.mtpLayer < 0) {
        throw Error("routing: an MTP position in a model without an MTP layer");
    }
    const std::size_t rows = mtp ? 1 : shape.layers.size();
    if (routing.margins.size() != rows || routing.biasDecided.size() != rows) {
        throw Error(fmt::format("routing: {} rows with {} marks do not fit a model with {} rows",
                                routing.margins.size(), routing.biasDecided.size(), rows));
    }
    if (routing.scores &&
        routing.scores->size() != rows * static_cast<std::size_t>(shape.experts)) {
        throw Error(fmt::format("routing: {} affinities for {} rows of {} experts",
                                routing.scores->size(), rows, shape.experts));
    }
}

}  // namespace

BiasCounter::BiasCounter(RoutingShape shape, std::vector<std::vector<float>> biasByRow,
                         double noise)
    : m_shape(std::move(shape)), m_noise(noise) {
    if (m_shape.hasBias) {
        m_with.emplace(m_shape);
        m_without.emplace(m_shape);
        m_other.emplace(m_shape);
        m_choice.resize(static_cast<std::size_t>(m_shape.experts));
        setBias(std::move(biasByRow));
    }
}

void BiasCounter::setBias(std::vector<std::vector<float>> biasByRow) {
    if (!m_shape.hasBias) {
        return;
    }
    checkBiasRows(m_shape, biasByRow);
    m_rounded.clear();
    m_largest.clear();
    for (const auto& bias : biasByRow) {
        m_rounded.push_back(roundedBias(bias));
        m_largest.push_back(spreadOf(bias.data(), bias.size()).largest);
    }
    m_bias = std::move(biasByRow);
    m_parts = {};
}

void BiasCounter::add(const StepTrace& step) {
    for (const RoutedToken& token : step.tokens) {
        add(token, false);
    }
    for (const RoutedToken& token : step.mtp) {
        add(token, true);
    }
}

void BiasCounter::add(const RoutedToken& token, bool mtp) {
    const TokenRouting& routing = token.routing;
    if (!m_shape.hasBias || routing.rows() == 0) {
        return;
    }
    checkRouting(m_shape, routing, mtp);
    Part& counted = part(token);
    const std::size_t first = mtp ? m_shape.layers.size() : 0;
    const std::uint32_t all = m_shape.topK >= 32 ? ~0U : (1U << m_shape.topK) - 1;
    for (std::size_t r = 0; r < routing.margins.size(); ++r) {
        Row& row = counted[first + r];
        ++row.tokens;
        if (routing.scores) {
            addRow(row, first + r,
                   routing.scores->data() + r * static_cast<std::size_t>(m_shape.experts));
        } else {
            row.decided += std::popcount(routing.biasDecided[r] & all);
        }
    }
}

BiasCounter::Part& BiasCounter::part(const RoutedToken& token) {
    const auto phase = static_cast<std::size_t>(token.phase);
    if (phase >= kPhaseCount) {
        throw Error(fmt::format("routing: phase {} is not known", phase));
    }
    Part& out = m_parts[phase + (token.special ? kPhaseCount : 0)];
    if (out.empty()) {
        out.resize(routerRows(m_shape));
        for (Row& row : out) {
            row.countsWith.assign(static_cast<std::size_t>(m_shape.experts), 0);
            row.countsWithout = row.countsWith;
        }
    }
    return out;
}

void BiasCounter::addRow(Row& out, std::size_t row, const float* scores) {
    const std::vector<float>& bias = m_bias[row];
    for (std::size_t e = 0; e < bias.size(); ++e) {
        m_choice[e] = scores[e] + bias[e];
    }
    m_with->choose(m_choice.data());
    m_without->choose(scores, &*m_with);
    const auto chosen = m_with->chosen();
    const int decided = m_without->missing(chosen);
    int within = decided;
    if (!m_without->keepsGroupsOf(*m_with)) {
        m_other->chooseInGroupsOf(*m_with, scores);
        within = m_other->missing(chosen);
    }
    ++out.scored;
    out.decided += decided;
    out.decidedScored += decided;
    out.decidedWithin += within;
    if (decided > 0) {
        const double best = sumOver(m_without->chosen(), scores);
        out.affinityCost += best > 0 ? (best - sumOver(chosen, scores)) / best : 0.0;
    }
    for (const std::int32_t expert : chosen) {
        ++out.countsWith[static_cast<std::size_t>(expert)];
    }
    for (const std::int32_t expert : m_without->chosen()) {
        ++out.countsWithout[static_cast<std::size_t>(expert)];
    }
    out.margins.add(m_with->margin(), m_noise);
    out.groupMargins.add(m_with->groupMargin(), m_noise);
    out.ties += m_with->margin() == 0 ? 1 : 0;
    const Spread spread = spreadOf(scores, bias.size());
    out.deviation += spread.deviation;
    audit(out, row, scores, spread.largest);
}

// A score moves by what rounding moved its bias, and by the roundings of the sum; two of them come
// together by twice that. Where a margin is larger, that part of the choice cannot change, and most
// often it is.
BiasCounter::Safe BiasCounter::safe(BiasPrecision precision, std::size_t row,
                                    double largestScore) const {
    const double moved = m_rounded[row].largestChange[static_cast<std::size_t>(precision)];
    const double magnitude = largestScore + m_largest[row] + moved;
    const double choice = roundsChoice(precision) ? unitRoundoff(precision) + 0x1p-22 : 0x1p-22;
    const double change = moved + choice * magnitude + 0x1p-24;
    const double groupSum = 0x1p-22 * 2 * magnitude;
    const auto margin = static_cast<double>(m_with->margin());
    const auto groupMargin = static_cast<double>(m_with->groupMargin());
    Safe out;  // a margin that is NaN: there is nothing else to choose
    out.groups = !(groupMargin <= 4 * change + groupSum);
    out.all = out.groups && !(margin <= 2 * change);
    return out;
}

void BiasCounter::audit(Row& out, std::size_t row, const float* scores, double largestScore) {
    for (std::size_t p = 0; p < kBiasPrecisions; ++p) {
        const auto precision = static_cast<BiasPrecision>(p);
        const Safe safeParts = safe(precision, row, largestScore);
        if (safeParts.all) {
            continue;
        }
        const std::vector<float>& bias = m_rounded[row].bias[p];
        for (std::size_t e = 0; e < bias.size(); ++e) {
            m_choice[e] = scores[e] + bias[e];
        }
        if (roundsChoice(precision)) {
            roundAll(m_choice, precision);
        }
        if (safeParts.groups) {
            m_other->chooseInGroupsOf(*m_with, m_choice.data());
        } else {
            m_other->choose(m_choice.data(), &*m_with);
        }
        const int changed = m_other->missing(m_with->chosen());
        out.changedChoices[p] += changed;
        out.changedTokens[p] += changed > 0 ? 1 : 0;
    }
}

void BiasCounter::Row::merge(const Row& other) {
    tokens += other.tokens;
    decided += other.decided;
    scored += other.scored;
    decidedScored += other.decidedScored;
    decidedWithin += other.decidedWithin;
    affinityCost += other.affinityCost;
    deviation += other.deviation;
    ties += other.ties;
    margins.merge(other.margins);
    groupMargins.merge(other.groupMargins);
    for (std::size_t p = 0; p < kBiasPrecisions; ++p) {
        changedTokens[p] += other.changedTokens[p];
        changedChoices[p] += other.changedChoices[p];
    }
    countsWith.resize(other.countsWith.size());
    countsWithout.resize(other.countsWithout.size());
    for (std::size_t e = 0; e < countsWith.size(); ++e) {
        countsWith[e] += other.countsWith[e];
        countsWithout[e] += other.countsWithout[e];
    }
}

BiasRowDiagnostics BiasCounter::summarise(const Row& row, std::size_t index) const {
    const auto k = static_cast<double>(m_shape.topK);
    BiasRowDiagnostics out;
    out.mtp = index >= m_shape.layers.size();
    out.layer = layerOfRouterRow(m_shape, index);
    out.tokens = row.tokens;
    out.scored = row.scored;
    out.biasDecided = ratio(static_cast<double>(row.decided) / k, row.tokens);
    out.biasDecidedScored = ratio(static_cast<double>(row.decidedScored) / k, row.scored);
    out.withinGroups = ratio(static_cast<double>(row.decidedWithin) / k, row.scored);
    out.groupFlips = out.biasDecidedScored - out.withinGroups;
    out.affinityCost = ratio(row.affinityCost, row.scored);
    out.maxVioWithout = maxVio(row.countsWithout);
    out.maxVioWith = maxVio(row.countsWith);
    out.balanceGain = out.maxVioWithout - out.maxVioWith;
    out.margin = row.margins.summary();
    out.groupMargin = row.groupMargins.summary();
    out.ties = row.ties;
    out.biasDeviation = deviationOf(m_bias[index]);
    out.affinityDeviation = ratio(row.deviation, row.scored);
    out.dominance = out.affinityDeviation > 0 ? out.biasDeviation / out.affinityDeviation : kNaN;
    for (std::size_t p = 0; p < kBiasPrecisions; ++p) {
        out.precision[p].changedTokens =
            ratio(static_cast<double>(row.changedTokens[p]), row.scored);
        out.precision[p].changedChoices =
            ratio(static_cast<double>(row.changedChoices[p]) / k, row.scored);
    }
    return out;
}

BiasDiagnostics BiasCounter::value(unsigned phaseMask) const {
    BiasDiagnostics out;
    out.shape = m_shape;
    out.phaseMask = phaseMask;
    out.noise = m_noise;
    if (!m_shape.hasBias) {
        return out;
    }
    std::vector<Row> rows(routerRows(m_shape));
    for (std::size_t i = 0; i < m_parts.size(); ++i) {
        const bool special = i >= kPhaseCount;
        const bool wanted = (phaseMask >> (i % kPhaseCount) & 1U) != 0 &&
                            (!special || (phaseMask & kSpecialTokens) != 0);
        for (std::size_t row = 0; wanted && row < m_parts[i].size(); ++row) {
            rows[row].merge(m_parts[i][row]);
        }
    }
    for (std::size_t row = 0; row < rows.size(); ++row) {
        out.rows.push_back(summarise(rows[row], row));
    }
    return out;
}

}  // namespace gatescope
