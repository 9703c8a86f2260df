// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/analysis/routing_load.h"

namespace gatescope {

/// Six layers, the first dense, and an MTP layer: the demo model's shape.
inline RoutingShape demoShape() {
    RoutingShape shape;
    shape.layers = {1, 2, 3, 4, 5};
    shape.mtpLayer = 6;
    shape.totalLayers = 6;
    shape.experts = 32;
    shape.topK = 4;
    shape.groups = 4;
    shape.topkGroups = 2;
    shape.hasBias = true;
    return shape;
}

inline RoutingShape fullShape() {
    RoutingShape shape;
    for (int layer = 3; layer < 61; ++layer) {
        shape.layers.push_back(layer);
    }
    shape.mtpLayer = 61;
    shape.totalLayers = 61;
    shape.experts = 256;
    shape.topK = 8;
    shape.groups = 8;
    shape.topkGroups = 4;
    shape.hasBias = true;
    return shape;
}

/// Row r chooses the k experts from `first` + r on (wrapping), with weights 1, 2, .. k / 10.
inline RoutedToken tokenFrom(const RoutingShape& shape, int rows, int first, Phase phase,
                             int position = 0) {
    RoutedToken token;
    token.position = position;
    token.phase = phase;
    for (int row = 0; row < rows; ++row) {
        for (int j = 0; j < shape.topK; ++j) {
            token.routing.experts.push_back(
                static_cast<std::uint16_t>((first + row + j) % shape.experts));
            token.routing.weights.push_back(static_cast<float>(j + 1) / 10.0F);
        }
        token.routing.margins.push_back(0.0125F);
        token.routing.biasDecided.push_back(0);
    }
    return token;
}

inline RoutedToken mainToken(const RoutingShape& shape, int first, Phase phase, int position = 0) {
    return tokenFrom(shape, static_cast<int>(shape.layers.size()), first, phase, position);
}

}  // namespace gatescope
