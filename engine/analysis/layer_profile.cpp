// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/layer_profile.h"

#include <utility>

namespace gatescope {

NextLayerSummary nextLayerSummary(const TransitionValue& next) {
    NextLayerSummary out;
    out.nextLayer = next.nextLayer;
    out.n = next.n;
    out.mutualInformation = next.mutualInformation();
    out.mutualInformationBias = next.mutualInformationBias();
    out.recall = next.recall();
    out.popularRecall = next.popularRecall();
    out.chanceRecall = next.chanceRecall();
    out.predicted = next.predicted;
    return out;
}

LayerProfile layerProfile(const CoactivationValue& pairs, const TransitionValue* next,
                          ExpertReadsValue reads, int pairsListed) {
    LayerProfile out;
    out.row = pairs.row;
    out.layer = pairs.layer;
    out.n = pairs.n;
    out.chanceConditional = pairs.chanceConditional();
    out.expectedLift = pairs.expectedLift();
    out.topPairs = pairs.topPairs(pairsListed);
    out.reads = std::move(reads);
    if (next != nullptr) {
        out.next = nextLayerSummary(*next);
    }
    return out;
}

}  // namespace gatescope
