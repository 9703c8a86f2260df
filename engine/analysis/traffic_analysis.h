// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "engine/analysis/bias_counter.h"
#include "engine/analysis/coactivation.h"
#include "engine/analysis/expert_reads.h"
#include "engine/analysis/routing_load.h"
#include "engine/analysis/shadow_bias.h"
#include "engine/analysis/transitions.h"

namespace gatescope {

/// All that is counted about the routing of a session, token by token, and what that costs. Not
/// thread-safe; lives where the steps arrive. A copy is a state to come back to.
class TrafficAnalysis {
  public:
    /// `biasByRow`: what the routers add, [rows][E], the MTP layer last; empty where it is not
    /// known (a session of another model): then nothing is counted about it.
    TrafficAnalysis(const RoutingShape& shape, std::vector<std::vector<float>> biasByRow,
                    const ShadowParams& shadow = {});

    /// Throws Error for routing that does not fit the shape. Where interventions make layers choose
    /// different numbers of experts nothing is counted: chance would be another in every layer.
    void add(const StepTrace& step);
    /// A position without its step; nothing about steps is learnt from it.
    void add(const RoutedToken& token, bool mtp);

    /// The shadow starts again, from the model's bias, with what comes from now on.
    void restartShadow(const ShadowParams& params);
    /// For traffic from before: only the shadow sees it.
    void addToShadow(const RoutedToken& token, bool mtp) { m_shadow.add(token, mtp); }

    const RoutingLoadCounter& load() const { return m_load; }
    const BiasCounter& bias() const { return m_bias; }
    const ShadowBias& shadow() const { return m_shadow; }
    /// What relates experts to each other; null for a model without routed experts.
    struct Relations {
        explicit Relations(const RoutingShape& shape)
            : coactivation(shape), transitions(shape), reads(shape) {}
        CoactivationCounter coactivation;
        TransitionCounter transitions;
        ExpertReads reads;
    };
    const Relations* relations() const { return m_relations ? &*m_relations : nullptr; }
    bool knowsBias() const { return m_knowsBias; }

    double seconds() const { return m_seconds; }  ///< spent in add()

  private:
    void addToken(const RoutedToken& token, bool mtp);

    RoutingShape m_shape;
    std::vector<std::vector<float>> m_biasByRow;
    bool m_knowsBias;
    RoutingLoadCounter m_load;
    BiasCounter m_bias;
    ShadowBias m_shadow;
    std::optional<Relations> m_relations;
    double m_seconds = 0;
};

}  // namespace gatescope
