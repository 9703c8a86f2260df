// SPDX-License-Identifier: Apache-2.0
#include "engine/verify/golden_deviations.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace gatescope {
namespace {

double klDivergence(std::span<const float> golden, std::span<const float> ours) {
    const double goldenSum = logSumExp(golden);
    const double ourSum = logSumExp(ours);
    double kl = 0;
    for (std::size_t i = 0; i < golden.size(); ++i) {
        const double goldenLog = golden[i] - goldenSum;
        kl += std::exp(goldenLog) * (goldenLog - (ours[i] - ourSum));
    }
    return std::isfinite(kl) ? kl : std::numeric_limits<double>::infinity();
}

std::set<std::int32_t> asSet(std::span<const std::int32_t> ids) {
    return {ids.begin(), ids.end()};
}

}  // namespace

double logSumExp(std::span<const float> row) {
    const double top = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float logit : row) sum += std::exp(logit - top);
    return std::log(sum) + top;
}

void GoldenDeviations::addLogits(const std::string& where, std::span<const float> expected,
                                 std::span<const float> actual, std::size_t width) {
    logits.add(where, expected, actual);
    if (actual.size() < expected.size()) return;
    for (std::size_t at = 0; at + width <= expected.size(); at += width) {
        kl.note(where, klDivergence(expected.subspan(at, width), actual.subspan(at, width)));
    }
}

void GoldenDeviations::addChoices(const std::string& where, std::span<const std::int32_t> expected,
                                  std::span<const std::int32_t> actual, std::size_t width) {
    experts.add(where, expected, actual);
    for (std::size_t at = 0; at + width <= expected.size(); at += width) {
        routingRows.add(where, at + width <= actual.size() && asSet(expected.subspan(at, width)) ==
                                                                  asSet(actual.subspan(at, width)));
    }
}

void GoldenDeviations::reportFloat32(const std::string& subject, const std::string& prefix,
                                     const CheckSink& sink) const {
    const auto deviation = [&](const Deviation& d, const char* quantity, double limit) {
        if (!d.empty()) sink(d.maxCheck(subject, prefix + quantity, limit));
    };
    deviation(logits, "logits max", Float32Class::logitsMax);
    if (!logits.empty()) {
        sink(logits.rmsCheck(subject, prefix + "logits rms", Float32Class::logitsRms));
    }
    if (!argMax.empty()) sink(argMax.check(subject, prefix + "arg-max", "rows"));
    deviation(hidden, "hidden states max", Float32Class::hiddenMax);
    deviation(cache, "latent cache max", Float32Class::cacheMax);
    if (!experts.empty()) sink(experts.check(subject, prefix + "expert ids", "choices"));
    deviation(scores, "gate scores max", Float32Class::gateMax);
    deviation(weights, "gate weights max", Float32Class::gateMax);
}

void GoldenDeviations::reportReduced(const std::string& subject, const std::string& prefix,
                                     const ReducedLimits& limits, const CheckSink& sink) const {
    if (!logits.empty()) {
        sink(logits.rmsCheck(subject, prefix + "logits rms", limits.logitsRms));
    }
    if (!kl.empty() && limits.meanKl) {
        sink(kl.meanCheck(subject, prefix + "mean KL", *limits.meanKl));
    }
    if (!argMax.empty()) {
        sink(argMax.shareCheck(subject, prefix + "arg-max different", "rows",
                               limits.argMaxDifferent));
    }
    if (!routingRows.empty() && limits.routingDifferent) {
        sink(routingRows.shareCheck(subject, prefix + "routing different", "rows",
                                    *limits.routingDifferent));
    }
    const auto relative = [&](const Deviation& d, const char* quantity) {
        if (!d.empty()) sink(d.relativeRmsCheck(subject, prefix + quantity, limits.beforeRouting));
    };
    relative(hiddenBeforeRouting, "early states, relative");
    relative(cacheBeforeRouting, "early cache, relative");
}

}  // namespace gatescope
