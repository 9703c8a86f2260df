// SPDX-License-Identifier: Apache-2.0
#include "engine/model/router.h"

#include "engine/model/decoder.h"

namespace gatescope {

RouteParams routeParams(const ModelConfig& config) {
    const bool noaux = config.topkMethod == TopkMethod::NoauxTc;
    return {.experts = config.nRoutedExperts,
            .topK = config.numExpertsPerTok,
            .groups = config.nGroup,
            .topkGroups = config.topkGroup,
            .sigmoid = config.scoringFunc == ScoringFunc::Sigmoid,
            .groupTopTwo = noaux,
            .limitGroups = config.topkMethod != TopkMethod::Greedy,
            .normTopkProb = config.normTopkProb,
            .scaleNormalised = noaux,
            .scalingFactor = static_cast<float>(config.routedScalingFactor)};
}

RoutingShape routingShape(const ModelConfig& config) {
    const bool grouped = config.topkMethod != TopkMethod::Greedy;
    RoutingShape shape;
    shape.layers = config.moeLayers();
    shape.mtpLayer = config.hasMtp() ? config.mtpLayer() : -1;
    shape.totalLayers = config.numHiddenLayers;
    shape.experts = config.nRoutedExperts;
    shape.topK = config.numExpertsPerTok;
    shape.groups = grouped ? config.nGroup : 1;
    shape.topkGroups = grouped ? config.topkGroup : 1;
    shape.hasBias = config.topkMethod == TopkMethod::NoauxTc;
    return shape;
}

std::vector<std::vector<float>> routerBiasByRow(const Decoder& decoder) {
    const RoutingShape& shape = decoder.routingShape();
    std::vector<std::vector<float>> bias;
    for (const int layer : shape.layers) bias.push_back(decoder.weights().routerBias(layer));
    if (shape.mtpLayer >= 0) bias.push_back(decoder.weights().routerBias(shape.mtpLayer));
    return bias;
}

}  // namespace gatescope
