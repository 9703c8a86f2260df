// SPDX-License-Identifier: Apache-2.0
#include "engine/model/applied_bias.h"

#include <algorithm>

namespace gatescope {

std::vector<std::vector<float>> biasUnder(const Interventions& interventions,
                                          const RoutingShape& shape,
                                          std::vector<std::vector<float>> own) {
    for (const LayerIntervention& layer : interventions.layers) {
        const auto found = std::find(shape.layers.begin(), shape.layers.end(), layer.layer);
        const auto row = static_cast<std::size_t>(found - shape.layers.begin());
        const bool known = found != shape.layers.end() || layer.layer == shape.mtpLayer;
        if (!known || row >= own.size()) continue;
        if (!layer.bias.empty()) own[row] = layer.bias;
        if (layer.biasOff) std::fill(own[row].begin(), own[row].end(), 0.0F);
    }
    return own;
}

}  // namespace gatescope
