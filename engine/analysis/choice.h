// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// One expert in the choice of one token in one layer.
struct ExpertRank {
    int expert = 0;
    int group = 0;
    float score = 0;           ///< affinity s
    float bias = 0;            ///< b, 0 for a model without one
    float choice = 0;          ///< s + b in float32, as the router adds them
    bool kept = false;         ///< its group takes part in the choice
    int rank = 0;              ///< 1-based among experts of kept groups; 0: group dropped
    int rankWithoutBias = 0;   ///< the same with b = 0, groups chosen again
    bool chosen = false;       ///< rank 1..k
    bool biasDecided = false;  ///< chosen, but would not be with b = 0
};

/// The whole choice, worked out again from affinities and bias.
struct ChoiceRanking {
    std::vector<ExpertRank> experts;  ///< [E] by expert index
    std::vector<int> order;           ///< experts of kept groups, best choice score first
    std::vector<float> groupScores;   ///< [G]
    std::vector<int> keptGroups;      ///< ascending
    /// k-th minus (k+1)-th choice score inside the kept groups; NaN when every eligible expert is
    /// chosen.
    float margin = 0;
    int biasDecided = 0;  ///< how many of the k
};

/// The published rules. With a bias (noaux_tc) a group's score is the sum of its two largest choice
/// scores, without one (softmax models) its maximum. The best `topkGroups` groups are kept, all
/// other experts count as -inf; the best k of the rest are chosen. Ties: the lower index wins.
/// `scores` is [E]; `bias` is [E] or empty. Throws Error when sizes and shape do not fit.
ChoiceRanking rankChoices(const RoutingShape& shape, std::span<const float> scores,
                          std::span<const float> bias);

}  // namespace gatescope
