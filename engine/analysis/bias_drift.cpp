// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_drift.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/analysis/bias_rows.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/tensor_schema.h"
#include "engine/checkpoint/weight_binding.h"
#include "engine/error.h"
#include "engine/model/router.h"

namespace gatescope {

namespace {

double meanOf(const std::vector<float>& values) {
    double sum = 0;
    for (const float value : values) {
        sum += static_cast<double>(value);
    }
    return values.empty() ? 0.0 : sum / static_cast<double>(values.size());
}

/// Ranks from 0, equal values share their mean rank.
std::vector<double> ranksOf(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> ranks(values.size());
    for (std::size_t first = 0; first < order.size();) {
        std::size_t end = first + 1;
        while (end < order.size() && !(values[order[end]] > values[order[first]])) {
            ++end;
        }
        for (std::size_t i = first; i < end; ++i) {
            ranks[order[i]] = 0.5 * static_cast<double>(first + end - 1);
        }
        first = end;
    }
    return ranks;
}

BiasDriftRow driftOf(const std::vector<float>& bias, const std::vector<float>& reference) {
    BiasDriftRow out;
    const double mean = meanOf(bias);
    const double referenceMean = meanOf(reference);
    out.shift = mean - referenceMean;
    double squares = 0;
    for (std::size_t e = 0; e < bias.size(); ++e) {
        const double difference = (static_cast<double>(bias[e]) - mean) -
                                  (static_cast<double>(reference[e]) - referenceMean);
        out.difference.push_back(difference);
        out.largest = std::max(out.largest, std::abs(difference));
        squares += difference * difference;
    }
    out.rms = std::sqrt(squares / static_cast<double>(std::max<std::size_t>(1, bias.size())));
    out.rankCorrelation =
        rankCorrelation({bias.begin(), bias.end()}, {reference.begin(), reference.end()});
    return out;
}

}  // namespace

double rankCorrelation(const std::vector<double>& a, const std::vector<double>& b) {
    if (a.size() != b.size() || a.size() < 2) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const std::vector<double> ranksA = ranksOf(a);
    const std::vector<double> ranksB = ranksOf(b);
    const double mean = 0.5 * static_cast<double>(a.size() - 1);
    double products = 0;
    double squaresA = 0;
    double squaresB = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        products += (ranksA[i] - mean) * (ranksB[i] - mean);
        squaresA += (ranksA[i] - mean) * (ranksA[i] - mean);
        squaresB += (ranksB[i] - mean) * (ranksB[i] - mean);
    }
    const double scale = std::sqrt(squaresA * squaresB);
    return scale > 0 ? products / scale : std::numeric_limits<double>::quiet_NaN();
}

BiasDrift biasDrift(const RoutingShape& shape, const std::vector<std::vector<float>>& bias,
                    const std::vector<std::vector<float>>& reference) {
    checkBiasRows(shape, bias);
    checkBiasRows(shape, reference);
    BiasDrift out{shape, {}};
    for (std::size_t row = 0; row < bias.size(); ++row) {
        BiasDriftRow drift = driftOf(bias[row], reference[row]);
        drift.layer = layerOfRouterRow(shape, row);
        drift.mtp = row >= shape.layers.size();
        out.rows.push_back(std::move(drift));
    }
    return out;
}

RouterBiases readRouterBiases(const std::filesystem::path& dir) {
    const Checkpoint checkpoint(dir);
    const ModelConfig& config = checkpoint.config();
    RouterBiases out{routingShape(config), {}};
    if (!out.shape.hasBias || routerRows(out.shape) == 0) {
        throw fileError(dir.string(), "config.json",
                        "this model's router has no correction bias to compare");
    }
    const WeightBinder binder(checkpoint);
    for (std::size_t row = 0; row < routerRows(out.shape); ++row) {
        const RouterTensors router = routerTensors(config, layerOfRouterRow(out.shape, row));
        out.byRow.push_back(binder.vector(router.bias.value()));
    }
    checkBiasRows(out.shape, out.byRow);
    return out;
}

BiasDrift checkpointDrift(const RoutingShape& shape,
                          const std::vector<std::vector<float>>& reference,
                          const RouterBiases& other) {
    const RoutingShape& theirs = other.shape;
    if (theirs.experts != shape.experts) {
        throw Error(fmt::format("the other checkpoint has {} experts per layer, this model {}",
                                theirs.experts, shape.experts));
    }
    if (theirs.layers != shape.layers || theirs.mtpLayer != shape.mtpLayer) {
        throw Error(fmt::format(
            "the other checkpoint has {} routers{}, this model {}{}, or in other layers",
            theirs.layers.size(), theirs.mtpLayer >= 0 ? " and an MTP router" : "",
            shape.layers.size(), shape.mtpLayer >= 0 ? " and an MTP router" : ""));
    }
    return biasDrift(shape, other.byRow, reference);
}

}  // namespace gatescope
