// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/analysis/compared_run.h"
#include "engine/analysis/token_overlap.h"

namespace gatescope {

/// One position that both runs routed, with the same tokens up to it.
struct AlignedToken {
    std::int32_t position = 0;
    std::int32_t tokenId = 0;
    double share = 0;        ///< mean over main layers of |S_A and S_B| / k
    double massMoved = 0;    ///< mean over main layers of 1/2 sum |g_A - g_B|
    int firstLayer = -1;     ///< absolute index of the first layer with another choice; -1: none
    double kl = 0;           ///< KL(A || B) of the next token, nats; NaN where it was not computed
    std::int32_t topA = -1;  ///< most probable next token; -1: not computed
    std::int32_t topB = -1;
};

struct AlignedLayer {
    int layer = 0;
    double saturation = 0;  ///< router saturation: mean over tokens of |S_A and S_B| / k
    double massMoved = 0;
    std::int64_t changedTokens = 0;  ///< with another set of experts
};

/// Where the two runs part for the first time, in the order of computation: position, then layer.
struct FirstDifference {
    std::int32_t position = 0;
    std::int32_t tokenId = 0;
    int layer = -1;     ///< absolute index
    float marginA = 0;  ///< choice margin there: small means a near tie
    float marginB = 0;
};

/// Two runs on the same tokens, position by position.
struct AlignedComparison {
    RoutingShape shape;
    std::int64_t n = 0;     ///< tokens compared
    double chance = 0;      ///< k / E
    double saturation = 0;  ///< mean over tokens and main layers
    double massMoved = 0;
    std::int64_t identicalTokens = 0;  ///< same experts in every layer
    std::vector<AlignedToken> tokens;  ///< by position
    std::vector<AlignedLayer> layers;  ///< main MoE layers
    std::optional<FirstDifference> first;
    std::int64_t klTokens = 0;  ///< n of the three below
    double meanKl = 0;          ///< nats; NaN without
    double maxKl = 0;
    std::int64_t topChanged = 0;
};

}  // namespace gatescope
