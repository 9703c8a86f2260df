// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/layer_profile.h"

#include <utility>

namespace gatescope {

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
        out.next.nextLayer = next->nextLayer;
        out.next.n = next->n;
        out.next.mutualInformation = next->mutualInformation();
        out.next.mutualInformationBias = next->mutualInformationBias();
        out.next.recall = next->recall();
        out.next.popularRecall = next->popularRecall();
        out.next.chanceRecall = next->chanceRecall();
        out.next.predicted = next->predicted;
    }
    return out;
}

}  // namespace gatescope
