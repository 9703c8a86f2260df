// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/uniform_router.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "engine/analysis/uniform_counts.h"
#include "engine/analysis/uniform_simulation.h"

namespace gatescope {

namespace {

constexpr int kMaxExperts = 65536;            // ids have 16 bits
constexpr std::size_t kMaxRemembered = 4096;  // values of n for each (E, k)
constexpr double kNormalP95 = 1.6448536269514722;

bool makesSense(int experts, int topK, std::int64_t tokens) {
    return tokens > 0 && topK > 0 && topK <= experts && experts <= kMaxExperts;
}

UniformStatistic undefined() {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    return {kNaN, kNaN, kNaN};
}

/// Every expert in every token.
void fillEven(UniformNull& out) {
    out.entropy = out.experts > 1 ? UniformStatistic{1, 0, 1} : undefined();
    const auto experts = static_cast<double>(out.experts);
    out.effectiveExperts = {experts, 0, experts};
}

UniformStatistic scaled(double mean, const RelativeSpread& spread) {
    return {mean, mean * spread.deviation, mean * spread.p95};
}

void fillExtremes(UniformNull& out, const UniformSimulation& simulation) {
    constexpr int kLast = UniformSimulation::kSimulatedTokens;
    const double fair = static_cast<double>(out.tokens) * out.topK / out.experts;
    if (out.tokens <= kLast) {
        const UniformStatistic& most = simulation.largestCount(out.tokens);
        const UniformStatistic& least = simulation.smallestCount(out.tokens);
        out.maxVio = {most.mean / fair - 1, most.deviation / fair, most.p95 / fair - 1};
        out.minVio = {1 - least.mean / fair, least.deviation / fair, 1 - least.p95 / fair};
        return;
    }
    const UniformExtremes extremes = uniformExtremes(out.experts, out.topK, out.tokens);
    // The extremes' scatter keeps its proportion to their distance from the mean.
    const double lastFair = static_cast<double>(kLast) * out.topK / out.experts;
    const auto deviation = [lastFair](const UniformStatistic& count, double vio) {
        return vio * count.deviation / std::abs(count.mean - lastFair);
    };
    out.maxVio = {extremes.largest.mean,
                  deviation(simulation.largestCount(kLast), extremes.largest.mean),
                  extremes.largest.p95};
    out.minVio = {extremes.smallest.mean,
                  deviation(simulation.smallestCount(kLast), extremes.smallest.mean),
                  extremes.smallest.p95};
}

void fillSums(UniformNull& out, const UniformSimulation& simulation) {
    const UniformSpread spread = simulation.spread(out.tokens);
    const UniformCountMeans means = uniformCountMeans(out.experts, out.topK, out.tokens);
    const auto experts = static_cast<double>(out.experts);
    const double choices = static_cast<double>(out.tokens) * out.topK;
    out.cv = scaled(std::sqrt((experts - out.topK) / choices), spread.cv);
    out.avgVio = scaled(means.avgVio, spread.avgVio);
    out.gini = scaled(means.gini, spread.gini);
    const UniformStatistic uneven = scaled(means.unevenness, spread.unevenness);
    out.entropy = {1 - uneven.mean, uneven.deviation, 1 - uneven.p95};
    const double nats = std::log(experts);
    // Beyond the simulation the ratio goes to 1: it is 1 + Var(nats * unevenness) / 2.
    const double variance = nats * uneven.deviation * nats * uneven.deviation;
    const double ratio = out.tokens <= UniformSimulation::kSimulatedTokens ? spread.effectiveRatio
                                                                           : 1 + variance / 2;
    const double mean = experts * std::exp(-nats * uneven.mean) * ratio;
    out.effectiveExperts = {mean, mean * nats * uneven.deviation,
                            experts * std::exp(-nats * uneven.p95)};
}

/// One (E, k): its simulation and the n asked for lately.
struct Baseline {
    std::mutex mutex;
    std::unique_ptr<const UniformSimulation> simulation;
    std::map<std::int64_t, UniformNull> known;
};

Baseline& baselineOf(int experts, int topK) {
    static std::mutex mutex;
    static std::map<std::pair<int, int>, Baseline> baselines;
    const std::lock_guard lock(mutex);
    return baselines[{experts, topK}];
}

void fill(UniformNull& out) {
    const double missed = std::exp(static_cast<double>(out.tokens) *
                                   std::log1p(-static_cast<double>(out.topK) / out.experts));
    out.notSeen = missed;
    out.distinct = out.experts * (1 - missed);
    if (out.topK == out.experts) {
        fillEven(out);
        return;
    }
    Baseline& baseline = baselineOf(out.experts, out.topK);
    const std::lock_guard lock(baseline.mutex);
    if (const auto found = baseline.known.find(out.tokens); found != baseline.known.end()) {
        out = found->second;
        return;
    }
    if (!baseline.simulation) {
        baseline.simulation = std::make_unique<UniformSimulation>(out.experts, out.topK);
    }
    fillExtremes(out, *baseline.simulation);
    fillSums(out, *baseline.simulation);
    if (baseline.known.size() >= kMaxRemembered) {
        baseline.known.clear();
    }
    baseline.known.emplace(out.tokens, out);
}

}  // namespace

UniformNull uniformNull(int experts, int topK, std::int64_t tokens) {
    UniformNull out;
    out.experts = experts;
    out.topK = topK;
    out.tokens = tokens;
    if (makesSense(experts, topK, tokens)) {
        fill(out);
        return out;
    }
    for (UniformStatistic* statistic : {&out.maxVio, &out.minVio, &out.avgVio, &out.cv, &out.gini,
                                        &out.entropy, &out.effectiveExperts}) {
        *statistic = undefined();
    }
    out.distinct = out.notSeen = std::numeric_limits<double>::quiet_NaN();
    return out;
}

double uniformMaxVio(int experts, int topK, std::int64_t tokens) {
    return uniformNull(experts, topK, tokens).maxVio.mean;
}

UniformStatistic uniformStepMaxVio(int experts, int topK, std::span<const StepSize> sizes) {
    double steps = 0;
    double mean = 0;
    double variance = 0;
    double reach = 0;  // sum of the steps' own distances from mean to 95 % point
    double deviation = 0;
    for (const StepSize& size : sizes) {
        const UniformStatistic one = uniformNull(experts, topK, size.tokens).maxVio;
        const auto count = static_cast<double>(size.steps);
        steps += count;
        mean += count * one.mean;
        variance += count * one.deviation * one.deviation;
        reach += count * (one.p95 - one.mean);
        deviation += count * one.deviation;
    }
    if (!(steps > 0)) {
        return undefined();
    }
    UniformStatistic out{mean / steps, std::sqrt(variance) / steps, mean / steps};
    if (deviation > 0) {
        // One step has its own, skewed distribution; the skew of a mean falls as 1/sqrt(steps).
        const double own = reach / deviation;
        out.p95 += out.deviation * (kNormalP95 + (own - kNormalP95) / std::sqrt(steps));
    }
    return out;
}

std::int64_t tokensToCallDead(int experts, int topK, double level) {
    if (topK <= 0 || topK >= experts || !(level > 0)) {
        return 0;
    }
    const double n = std::log(experts / level) / -std::log1p(-static_cast<double>(topK) / experts);
    return std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(n)));
}

}  // namespace gatescope
