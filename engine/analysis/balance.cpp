// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/balance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include "engine/analysis/binomial.h"
#include "engine/analysis/false_discovery.h"
#include "engine/analysis/load_statistics.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Sums {
    std::vector<std::int64_t> counts;  ///< [rows * E]
    std::vector<double> gateMass;      ///< [rows * E]
};

Sums sumParts(const RoutingLoad& load, unsigned phaseMask) {
    const std::size_t cells = static_cast<std::size_t>(load.rows()) *
                              static_cast<std::size_t>(std::max(0, load.shape.experts));
    Sums out{std::vector<std::int64_t>(cells), std::vector<double>(cells)};
    for (const PhaseLoad* part : load.parts(phaseMask)) {
        for (std::size_t i = 0; i < cells; ++i) {
            out.counts[i] += part->counts[i];
            out.gateMass[i] += part->gateMass[i];
        }
    }
    return out;
}

/// What chance gives for n tokens; the main rows share one.
struct Chance {
    Chance(const RoutingShape& shape, std::int64_t tokens)
        : null(uniformNull(shape.experts, shape.topK, tokens)),
          tails(tokens, std::clamp(static_cast<double>(shape.topK) / shape.experts, 0.0, 1.0)) {}

    UniformNull null;
    BinomialTails tails;
};

enum class Imbalance { Rises, Falls };

/// For very few tokens the statistics are certain or take few values: what differs by rounding
/// alone is no excess and not beyond.
BalanceMetric beside(double value, const UniformStatistic& null,
                     Imbalance direction = Imbalance::Rises) {
    const double rounding = 1e-12 * std::max(1.0, std::abs(value));
    BalanceMetric out{value, null.mean, null.p95, value - null.mean, false};
    if (std::abs(out.excess) < rounding) {
        out.excess = 0;
    }
    const double over = direction == Imbalance::Rises ? value - null.p95 : null.p95 - value;
    out.beyond = over > rounding;
    return out;
}

void fillMetrics(BalanceRow& row, std::span<const std::int64_t> counts, const UniformNull& null) {
    const LoadStatistics statistics = loadStatistics(counts);
    row.choices = statistics.choices;
    row.maxVio = beside(statistics.maxVio, null.maxVio);
    row.minVio = beside(statistics.minVio, null.minVio);
    row.avgVio = beside(statistics.avgVio, null.avgVio);
    row.cv = beside(statistics.cv, null.cv);
    row.gini = beside(statistics.gini, null.gini);
    row.entropy = beside(statistics.entropy, null.entropy, Imbalance::Falls);
    row.effectiveExperts =
        beside(statistics.effectiveExperts, null.effectiveExperts, Imbalance::Falls);
    const double distinct = row.tokens > 0 ? statistics.distinct : kNaN;
    row.distinct = {distinct, null.distinct, kNaN, distinct - null.distinct, false};
}

void fillSteps(BalanceRow& row, const RoutingLoad& load, int index, unsigned phaseMask) {
    const std::vector<StepSize> sizes = load.stepSizes(index, phaseMask);
    for (const StepSize& size : sizes) {
        row.steps += size.steps;
    }
    row.stepMaxVio = beside(load.stepMaxVio(index, phaseMask),
                            uniformStepMaxVio(load.shape.experts, load.shape.topK, sizes));
}

void fillGateMass(BalanceRow& row, std::span<const double> mass) {
    double total = 0;
    for (const double m : mass) {
        total += m;
    }
    row.gateMaxVio = row.gateCv = kNaN;
    if (!(total > 0)) {
        return;  // relativeGateMass stays NaN
    }
    double largest = 0;
    double squares = 0;
    for (std::size_t i = 0; i < mass.size(); ++i) {
        const double q = mass[i] * static_cast<double>(mass.size()) / total;
        row.experts[i].relativeGateMass = q;
        largest = std::max(largest, q);
        squares += (q - 1) * (q - 1);
    }
    row.gateMaxVio = largest - 1;
    row.gateCv = std::sqrt(squares / static_cast<double>(mass.size()));
}

void fillExperts(BalanceRow& row, std::span<const std::int64_t> counts,
                 const BinomialTails& tails) {
    row.experts.resize(counts.size());
    const double fair = static_cast<double>(row.choices) /
                        static_cast<double>(std::max<std::size_t>(1, counts.size()));
    for (std::size_t i = 0; i < counts.size(); ++i) {
        ExpertBalance& expert = row.experts[i];
        expert.count = counts[i];
        expert.relativeLoad = row.choices > 0 ? static_cast<double>(counts[i]) / fair : kNaN;
        expert.relativeGateMass = kNaN;
        expert.pValue = row.tokens > 0 ? tails.twoSided(counts[i]) : kNaN;
        expert.qValue = kNaN;
    }
}

LoadVerdict verdictOf(const ExpertBalance& expert, const BalanceRow& row,
                      const BalanceValue& value) {
    if (expert.count == 0) {
        const bool enough = row.tokens > 0 && row.tokens >= value.deadTokens;
        return enough ? LoadVerdict::Dead : LoadVerdict::NotSeen;
    }
    if (!(expert.qValue <= value.falseDiscoveryRate)) {
        return LoadVerdict::Ordinary;
    }
    return expert.relativeLoad > 1 ? LoadVerdict::Hot : LoadVerdict::Cold;
}

/// Adjusts the p-values of the main rows together, or of the MTP row.
void judge(BalanceValue& value, bool mtp) {
    std::vector<double> pValues;
    for (const BalanceRow& row : value.rows) {
        for (const ExpertBalance& expert : row.experts) {
            if (row.mtp == mtp) {
                pValues.push_back(expert.pValue);
            }
        }
    }
    const std::vector<double> adjusted = adjustedPValues(pValues);
    auto next = adjusted.begin();
    for (BalanceRow& row : value.rows) {
        if (row.mtp != mtp) {
            continue;
        }
        for (ExpertBalance& expert : row.experts) {
            expert.qValue = *next++;
            expert.verdict = verdictOf(expert, row, value);
            row.hot += expert.verdict == LoadVerdict::Hot ? 1 : 0;
            row.cold += expert.verdict == LoadVerdict::Cold ? 1 : 0;
            row.notSeen += expert.verdict == LoadVerdict::NotSeen ? 1 : 0;
            row.dead += expert.verdict == LoadVerdict::Dead ? 1 : 0;
        }
    }
}

}  // namespace

BalanceValue balanceOf(const RoutingLoad& load, unsigned phaseMask, double falseDiscoveryRate) {
    if (!(falseDiscoveryRate > 0 && falseDiscoveryRate < 1)) {
        throw Error(fmt::format("balance: {} is no false discovery rate between 0 and 1",
                                falseDiscoveryRate));
    }
    const RoutingShape& shape = load.shape;
    if (shape.experts <= 0) {
        throw Error("balance: the model has no routed experts");
    }
    BalanceValue value;
    value.shape = shape;
    value.phaseMask = phaseMask;
    value.falseDiscoveryRate = falseDiscoveryRate;
    value.deadTokens = tokensToCallDead(shape.experts, shape.topK);
    const Sums sums = sumParts(load, phaseMask);
    const auto experts = static_cast<std::size_t>(shape.experts);
    std::unique_ptr<const Chance> chance;
    for (int index = 0; index < load.rows(); ++index) {
        BalanceRow row;
        row.layer = load.layerOfRow(index);
        row.mtp = index >= static_cast<int>(shape.layers.size());
        row.tokens = load.tokens(index, phaseMask);
        if (!chance || row.tokens != chance->null.tokens) {
            chance = std::make_unique<const Chance>(shape, row.tokens);
        }
        const std::size_t first = static_cast<std::size_t>(index) * experts;
        const auto counts = std::span(sums.counts).subspan(first, experts);
        fillMetrics(row, counts, chance->null);
        fillSteps(row, load, index, phaseMask);
        fillExperts(row, counts, chance->tails);
        fillGateMass(row, std::span(sums.gateMass).subspan(first, experts));
        value.rows.push_back(std::move(row));
    }
    judge(value, false);
    judge(value, true);
    return value;
}

}  // namespace gatescope
