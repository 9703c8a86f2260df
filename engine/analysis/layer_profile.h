// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/analysis/coactivation.h"
#include "engine/analysis/expert_reads.h"
#include "engine/analysis/transitions.h"

namespace gatescope {

/// What one layer tells about the next, without the table it comes from.
struct NextLayerSummary {
    int nextLayer = -1;  ///< absolute index; -1: there is none
    std::int64_t n = 0;
    double mutualInformation = 0;      ///< nats, plug-in estimate; see TransitionValue
    double mutualInformationBias = 0;  ///< nats, what chance gives to first order
    ShiftBaseline shifted;             ///< the same for the newest tokens, with its baseline
    double recall = 0;                 ///< recall@k of the count predictor
    double popularRecall = 0;          ///< of naming the most chosen experts: what load alone gives
    double chanceRecall = 0;           ///< k / E
    std::int64_t predicted = 0;        ///< n of the recalls
};

/// `shifted` is left to the caller: it takes time.
NextLayerSummary nextLayerSummary(const TransitionValue& next);

/// One MoE layer as a whole: which experts go together, and what a cache of experts would spare.
struct LayerProfile {
    int row = -1;  ///< -1: no layer
    int layer = -1;
    std::int64_t n = 0;  ///< tokens of the pairs
    double chanceConditional = 0;
    double expectedLift = 0;
    std::vector<ExpertPair> topPairs;  ///< largest lift first
    NextLayerSummary next;
    ExpertReadsValue reads;
};

/// Puts together one layer's values; `next` may be null (the last main layer, the MTP layer).
LayerProfile layerProfile(const CoactivationValue& pairs, const TransitionValue* next,
                          ExpertReadsValue reads, int pairsListed = 32);

}  // namespace gatescope
