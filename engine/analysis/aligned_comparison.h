// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "engine/analysis/compared_run.h"

namespace gatescope {

/// How far the model's next-token distribution after one position differs between two runs.
struct NextTokenDifference {
    int answer = 0;  ///< index into ComparedRun::answers
    std::int32_t position = 0;
    /// KL(A || B) over the whole vocabulary, nats (Kullback and Leibler 1951); float64 softmax of
    /// float32 logits.
    double kl = std::numeric_limits<double>::quiet_NaN();
    std::int32_t topA = -1;  ///< most probable next token; ties to the lower id
    std::int32_t topB = -1;
};

/// One position that both runs routed through the main layers, with the same tokens up to it.
struct AlignedToken {
    int answer = 0;  ///< index into ComparedRun::answers
    std::int32_t position = 0;
    std::int32_t tokenId = 0;
    double share = 0;      ///< mean over main layers of |S_A and S_B| / k
    double massMoved = 0;  ///< mean over main layers of 1/2 sum |g_A - g_B|
    int firstLayer = -1;   ///< absolute index of the first layer with another choice; -1: none
    /// Where it was computed (see engine/decode/forced_run.h); NaN and -1 elsewhere.
    NextTokenDifference next;
};

/// One main MoE layer over all aligned tokens.
struct AlignedLayer {
    int layer = 0;                   ///< absolute index
    double saturation = 0;           ///< mean over tokens of |S_A and S_B| / k
    double massMoved = 0;            ///< mean over tokens of 1/2 sum |g_A - g_B|
    std::int64_t changedTokens = 0;  ///< with another set of experts
};

/// Where routing parts for the first time, in the order of computation: answer, position, layer.
struct RoutingDivergence {
    int answer = 0;
    std::int32_t position = 0;
    std::int32_t tokenId = 0;
    int layer = -1;     ///< absolute index
    float marginA = 0;  ///< choice margin there; a small one was a near tie
    float marginB = 0;
};

/// Where the written texts of one answer part.
struct TextDivergence {
    int answer = 0;
    std::int64_t seq = 0;        ///< number of the token in the answer, from 0
    std::int32_t position = -1;  ///< in the context
    std::int32_t idA = -1;       ///< -1: A ended here
    std::int32_t idB = -1;
    /// Of the token in the untouched logits of its own run; NaN without a token.
    float probabilityA = 0;
    float probabilityB = 0;
    /// Probability of the other run's token in the same logits, where its alternatives hold it
    /// (NaN elsewhere): what each run nearly wrote instead.
    float otherInA = 0;
    float otherInB = 0;
};

/// Two runs on the same tokens, position by position: answer i of A with answer i of B, as far as
/// their tokens agree.
struct AlignedComparison {
    RoutingShape shape;  ///< A's; k the larger of the two
    std::int64_t n = 0;  ///< positions compared
    double chance = 0;   ///< k / E: saturation of two independent uniform routers
    double saturation =
        0;  ///< router saturation (Muennighoff et al. 2024): mean over tokens, layers
    double massMoved = 0;  ///< mean over tokens and main layers
    double mass = 0;  ///< mean gate mass of a layer: what massMoved would be with no expert shared
    std::int64_t identicalTokens = 0;  ///< same experts in every layer
    std::vector<AlignedToken> tokens;  ///< by answer and position
    std::vector<AlignedLayer> layers;  ///< main MoE layers, ascending
    std::optional<RoutingDivergence> first;
    std::int64_t answerTokens = 0;  ///< generated, of answers in both runs, the longer of the two
    std::int64_t equalTokens = 0;   ///< of those: before the texts part
    std::vector<TextDivergence> texts;  ///< at most one for each answer
    std::int64_t klTokens = 0;          ///< n of the three below
    double meanKl = 0;                  ///< nats; NaN without
    double maxKl = 0;
    std::int64_t topChanged = 0;  ///< positions with another most probable next token
};

/// Whether every answer of A has the prompt of B's answer at its place. Otherwise little more than
/// the chat format's opening could be compared.
bool samePrompts(const ComparedRun& a, const ComparedRun& b);

/// Compares what both runs routed of the same tokens; rejected drafts are left out. `next` may
/// be empty. Throws Error where layers or experts of the runs differ or a routing
/// does not fit; the numbers of experts chosen may differ.
AlignedComparison alignedComparison(const ComparedRun& a, const ComparedRun& b,
                                    std::span<const NextTokenDifference> next = {});

}  // namespace gatescope
