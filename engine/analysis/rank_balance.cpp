// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/rank_balance.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kSglangOffset = 1e-5;

double meanOf(std::span<const double> loads) {
    return std::accumulate(loads.begin(), loads.end(), 0.0) / static_cast<double>(loads.size());
}

double maxOf(std::span<const double> loads) {
    return *std::max_element(loads.begin(), loads.end());
}

struct Mean {
    void add(double value) {
        sum += value;
        ++count;
    }
    double value() const { return count > 0 ? sum / count : kNaN; }

    double sum = 0;
    int count = 0;
};

}  // namespace

std::span<const double> RankLoads::row(int layer) const {
    const auto width = static_cast<std::size_t>(gpus);
    return std::span(values).subspan(static_cast<std::size_t>(layer) * width, width);
}

RankLoads rankLoads(const Placement& placement, const ExpertLoads& loads) {
    checkLoads(loads);
    if (placement.layers != loads.layers || placement.experts != loads.experts) {
        throw Error(
            fmt::format("placement: {} layers of {} experts are loaded with {} layers of {}",
                        placement.layers, placement.experts, loads.layers, loads.experts));
    }
    RankLoads out{placement.layers, placement.gpus, {}};
    out.values.reserve(static_cast<std::size_t>(out.layers) * static_cast<std::size_t>(out.gpus));
    const std::vector<int> copies = replicaCounts(placement);
    for (int layer = 0; layer < out.layers; ++layer) {
        const std::span<const double> load = loads.row(layer);
        const auto* layerCopies = copies.data() + static_cast<std::size_t>(layer) * load.size();
        for (int gpu = 0; gpu < out.gpus; ++gpu) {
            double sum = 0;
            for (const std::int32_t expert : placement.gpuRow(layer, gpu)) {
                sum += load[static_cast<std::size_t>(expert)] / layerCopies[expert];
            }
            out.values.push_back(sum);
        }
    }
    return out;
}

double sglangBalancedness(std::span<const RankLoads> passes) {
    Mean overPasses;
    for (const RankLoads& pass : passes) {
        Mean overLayers;
        for (int layer = 0; layer < pass.layers; ++layer) {
            overLayers.add((meanOf(pass.row(layer)) + kSglangOffset) /
                           (maxOf(pass.row(layer)) + kSglangOffset));
        }
        overPasses.add(overLayers.value());
    }
    return overPasses.value();
}

double vllmBalancedness(const RankLoads& pass) {
    return 1 / (1 + stragglerCost(pass));
}

double vllmPeakRatio(const RankLoads& pass) {
    Mean overLayers;
    for (const double factor : stragglerFactors(pass)) {
        if (factor >= 0) overLayers.add(factor);
    }
    return overLayers.value();
}

double tensorRtImbalance(std::span<const RankLoads> iterations) {
    if (iterations.empty()) return kNaN;
    std::vector<Mean> overIterations(static_cast<std::size_t>(iterations.front().layers));
    for (const RankLoads& iteration : iterations) {
        const std::vector<double> factors = stragglerFactors(iteration);
        if (factors.size() != overIterations.size()) {
            throw Error(fmt::format("imbalance ratio: an iteration has {} layers, the first has {}",
                                    factors.size(), overIterations.size()));
        }
        for (std::size_t layer = 0; layer < factors.size(); ++layer) {
            if (factors[layer] >= 0) overIterations[layer].add(factors[layer] - 1);
        }
    }
    Mean overLayers;
    for (const Mean& layer : overIterations) {
        if (layer.count > 0) overLayers.add(layer.value());
    }
    return overLayers.value();
}

std::vector<double> stragglerFactors(const RankLoads& loads) {
    std::vector<double> out;
    for (int layer = 0; layer < loads.layers; ++layer) {
        const double mean = meanOf(loads.row(layer));
        out.push_back(mean > 0 ? maxOf(loads.row(layer)) / mean : kNaN);
    }
    return out;
}

double stragglerTime(const RankLoads& loads) {
    double sum = 0;
    for (int layer = 0; layer < loads.layers; ++layer) sum += maxOf(loads.row(layer));
    return sum;
}

double stragglerCost(const RankLoads& loads) {
    const double total = std::accumulate(loads.values.begin(), loads.values.end(), 0.0);
    return total > 0 ? stragglerTime(loads) * loads.gpus / total - 1 : kNaN;
}

}  // namespace gatescope
