// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// What is changed in the routing of one MoE layer. Everything else stays the model's own.
struct LayerIntervention {
    int layer = 0;                    ///< absolute index, the MTP layer included
    std::vector<int> off{};           ///< experts that are never chosen
    std::vector<int> forced{};        ///< experts that are always chosen, and their groups kept
    std::optional<int> topK{};        ///< experts chosen per token instead of the model's k
    std::optional<int> topkGroups{};  ///< groups kept instead of the model's
    bool biasOff = false;             ///< chosen by the affinities alone, groups too
    std::vector<float> bias{};        ///< [E] in place of the model's own; empty: its own

    bool operator==(const LayerIntervention&) const = default;
    /// Nothing is changed.
    bool empty() const;
};

/// Counterfactual routing: what a run changes about the model's choice of experts. The model really
/// computes with it, so such a run is no longer the model's own and carries describe() wherever it
/// is shown or stored. Gate weights come from the affinities as always: neither a bias nor forcing
/// an expert ever enters a weight.
struct Interventions {
    std::string biasLabel{};  ///< where an applied bias comes from: "shadow, gamma 0.001"
    std::vector<LayerIntervention> layers{};

    bool operator==(const Interventions&) const = default;
    /// Nothing is changed.
    bool empty() const;
};

/// The largest correction bias that can be applied; beyond it "never" and "always" could be
/// outvoted.
inline constexpr float kMaxAppliedBias = 1e6f;
/// Choice scores of experts that are off and forced. Finite, and so far from any affinity plus bias
/// that adding one changes neither: all others keep the scores, to the bit, that they have without.
inline constexpr float kNeverChosen = -1e30f;
inline constexpr float kAlwaysChosen = 1e33f;

/// One line for people: "bias off in layers 3-60; expert 17 off in layer 4; top-k 6 in layer 7".
/// Empty without interventions. With a shape, "in all MoE layers" where that is so.
std::string describe(const Interventions& interventions, const RoutingShape* shape = nullptr);

/// Throws Error with one sentence naming layer, item and cause: a layer without a router or named
/// twice, an expert that does not exist, is off and forced or named twice, more experts forced than
/// chosen, forced experts in more groups than are kept, k beyond 32 or beyond what the kept groups
/// hold, fewer experts left on than k in the groups a token may be left with, a bias of the wrong
/// size, not finite or beyond kMaxAppliedBias, bias off where there is none.
///
/// A group with fewer than two experts left on scores lowest where group scores are sums of the two
/// best (noaux_tc); with none left on, everywhere. Such groups are kept only when there are not
/// enough others.
void checkInterventions(const Interventions& interventions, const RoutingShape& shape);

/// `shape` with the k of a run under these interventions: the largest of its layers. Kept groups
/// are those of the run where all main MoE layers agree, else the model's.
RoutingShape runShape(const RoutingShape& shape, const Interventions& interventions);

}  // namespace gatescope
