// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_rows.h"

#include <cmath>

#include "engine/error.h"

namespace gatescope {

std::size_t routerRows(const RoutingShape& shape) {
    return shape.layers.size() + (shape.mtpLayer >= 0 ? 1 : 0);
}

int layerOfRouterRow(const RoutingShape& shape, std::size_t row) {
    return row < shape.layers.size() ? shape.layers[row] : shape.mtpLayer;
}

void checkBiasRows(const RoutingShape& shape, const std::vector<std::vector<float>>& biasByRow) {
    if (biasByRow.size() != routerRows(shape)) {
        throw Error(fmt::format("correction bias: {} layers for a model with {} routers",
                                biasByRow.size(), routerRows(shape)));
    }
    for (std::size_t row = 0; row < biasByRow.size(); ++row) {
        if (biasByRow[row].size() != static_cast<std::size_t>(shape.experts)) {
            throw Error(fmt::format("correction bias: layer {} has {} values for {} experts",
                                    layerOfRouterRow(shape, row), biasByRow[row].size(),
                                    shape.experts));
        }
        for (const float value : biasByRow[row]) {
            if (!std::isfinite(value)) {
                throw Error(fmt::format("correction bias: layer {} holds {}",
                                        layerOfRouterRow(shape, row), value));
            }
        }
    }
}

}  // namespace gatescope
