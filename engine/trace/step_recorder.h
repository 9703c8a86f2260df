// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "engine/model/forward_observer.h"
#include "engine/trace/choice_rule.h"
#include "engine/trace/step_trace.h"
#include "kernels/cpu/choose_experts.h"

namespace gatescope {

/// Writes down the routing of one step. It only reads what the pass computed, so recording can
/// never change a token; what it costs is measured and part of the trace.
class StepRecorder final : public ForwardObserver {
  public:
    /// How a layer chooses, by absolute index; must stay so while this records.
    using Rule = std::function<ChoiceRule(int layer)>;
    using IsSpecial = std::function<bool(std::int32_t id)>;

    /// `shape` of the run (Decoder::runShape()): its k is the largest of all layers, and layers
    /// that choose fewer leave kNoExpert behind their choices.
    StepRecorder(RoutingShape shape, Rule rule, IsSpecial isSpecial, bool keepScores);

    void beginStep(std::int64_t step);
    /// The next pass runs these tokens through the main model / the MTP layer.
    void beginMain(std::int64_t first, std::span<const std::int32_t> tokens, Phase phase);
    /// Phase::Draft, or Phase::Rejected for a pair that stands on a draft.
    void beginMtp(std::int64_t first, std::span<const std::int32_t> nextTokens, Phase phase);

    bool wantsRouting() const override { return true; }
    void onRouting(const LayerRouting& routing) override;

    /// Of the step's positions through the main model those from `first` on are no output.
    void reject(std::size_t first);
    /// Fills in what the step's positions read in the main MoE layers, and what only those in
    /// Phase::Rejected did.
    void countExperts(SpeculativeStep& speculation) const;
    StepTrace& trace() { return m_trace; }
    StepTrace take();

  private:
    void begin(std::vector<RoutedToken>& tokens, std::int64_t first,
               std::span<const std::int32_t> ids, Phase phase, int rows);
    /// A layer's rule, ready to choose by.
    struct Layer {
        explicit Layer(const ChoiceRule& layerRule) : rule(layerRule), chooser(layerRule.params) {}
        ChoiceRule rule;
        ExpertChooser chooser;
    };
    Layer& layer(int index);
    void record(const LayerRouting& routing, Layer& layer, std::int64_t token, std::size_t row,
                TokenRouting& out);
    void keepScores(const LayerRouting& routing, std::int64_t token, std::size_t row);
    float margin(const float* scores, Layer& layer);
    std::uint32_t biasDecided(const float* scores, const std::int32_t* chosen, Layer& layer);

    RoutingShape m_shape;
    Rule m_rule;
    std::map<int, Layer> m_layers;  ///< by absolute index, those met so far
    IsSpecial m_isSpecial;
    bool m_keepScores;
    std::vector<std::int32_t> m_ids;
    std::vector<RoutedToken>* m_target = nullptr;
    std::size_t m_targetFirst = 0;  ///< where the running pass begins in m_target
    std::vector<std::shared_ptr<std::vector<float>>> m_passScores;  ///< [T] of the running pass
    StepTrace m_trace;
};

}  // namespace gatescope
