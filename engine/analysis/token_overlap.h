// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// Two tokens A and B in one layer; S: the k chosen experts, g: their gate weights.
struct LayerOverlap {
    int layer = 0;         ///< absolute index
    int shared = 0;        ///< |S_A and S_B|
    int chosen = 0;        ///< k of this layer, the larger one where the two runs differ in it
    double share = 0;      ///< shared / chosen; NaN where nothing was chosen
    double massMoved = 0;  ///< 1/2 sum_i |g_A,i - g_B,i|
    double mass = 0;       ///< (sum g_A + sum g_B) / 2: what massMoved would be with nothing shared
};

/// Two tokens over the main MoE layers of one model.
struct TokenOverlap {
    std::vector<LayerOverlap> layers;  ///< by layer; n of the means is their number
    int topK = 0;
    double chance = 0;         ///< k / E: the mean share of two independent uniform choices
    double meanShare = 0;      ///< NaN without layers
    double meanMassMoved = 0;  ///< NaN without layers
    double meanMass = 0;       ///< NaN without layers
};

/// Token-aligned difference of two routings, layer by layer (as used to compare checkpoints and
/// quantisations on identical tokens). Under interventions a layer may choose fewer than k: slots
/// that hold 0xFFFF behind its choices are no choice. Both must have passed the main layers of
/// `shape`. Throws Error where a routing does not fit the shape, names an expert it has not, or one
/// twice.
TokenOverlap tokenOverlap(const RoutingShape& shape, const RoutedToken& a, const RoutedToken& b);

}  // namespace gatescope
