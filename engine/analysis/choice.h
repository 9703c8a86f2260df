// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// What the correction bias has to do with one chosen expert. S_b: the k chosen with the bias; S_0:
/// with b = 0 and the groups chosen again; S_0g: with b = 0 inside the groups the bias kept.
enum class BiasPart : std::uint8_t {
    None,     ///< in S_b and S_0, or not chosen
    InGroup,  ///< in S_b, neither in S_0 nor in S_0g: the bias lifted it past others of its groups
    GroupFlip,  ///< in S_b and S_0g, not in S_0: chosen because the bias kept other groups
};

/// One expert in the choice of one token in one layer.
struct ExpertRank {
    int expert = 0;
    int group = 0;
    float score = 0;                     ///< affinity s
    float bias = 0;                      ///< b, 0 for a model without one
    float choice = 0;                    ///< s + b in float32, as the router adds them
    bool kept = false;                   ///< its group takes part in the choice
    int rank = 0;                        ///< 1-based among experts of kept groups; 0: group dropped
    int rankWithoutBias = 0;             ///< the same with b = 0, groups chosen again
    int rankWithoutBiasFixedGroups = 0;  ///< with b = 0 inside the groups kept with b
    bool chosen = false;                 ///< rank 1..k
    bool biasDecided = false;            ///< chosen, but would not be with b = 0: S_b \ S_0
    BiasPart biasPart = BiasPart::None;  ///< how, for a bias-decided one
};

/// The whole choice, worked out again from affinities and bias.
struct ChoiceRanking {
    std::vector<ExpertRank> experts;         ///< [E] by expert index
    std::vector<int> order;                  ///< experts of kept groups, best choice score first
    std::vector<float> groupScores;          ///< [G]
    std::vector<int> keptGroups;             ///< ascending
    std::vector<int> keptGroupsWithoutBias;  ///< the same with b = 0
    /// k-th minus (k+1)-th choice score inside the kept groups; NaN when every eligible expert is
    /// chosen.
    float margin = 0;
    /// Smallest kept minus largest dropped group score; NaN when every group is kept.
    float groupMargin = 0;
    bool tie = false;       ///< k-th and (k+1)-th choice score are equal: the lower index decided
    bool groupTie = false;  ///< the same of the last kept and the first dropped group
    int biasDecided = 0;    ///< |S_b \ S_0|, of the k
    /// |S_b \ S_0g|. `biasDecided` minus this is the group-flip part of the bias-decided fraction;
    /// it is negative where choosing the groups again brings an expert back.
    int biasDecidedFixedGroups = 0;
};

/// The published rules. With a bias (noaux_tc) a group's score is the sum of its two largest choice
/// scores, without one (softmax models) its maximum. The best `topkGroups` groups are kept, all
/// other experts count as -inf; the best k of the rest are chosen. Ties: the lower index wins.
/// `scores` is [E]; `bias` is [E] or empty. Throws Error when sizes and shape do not fit.
ChoiceRanking rankChoices(const RoutingShape& shape, std::span<const float> scores,
                          std::span<const float> bias);

/// Gate weights come from s, never from s + b: with or without normalisation g_i / s_i is the same
/// for all chosen experts. Returns that factor, or NaN where recorded weights are not proportional
/// to the affinities. `scores` [E], `experts` and `weights` [k].
double weightPerAffinity(std::span<const float> scores, std::span<const std::uint16_t> experts,
                         std::span<const float> weights);

}  // namespace gatescope
