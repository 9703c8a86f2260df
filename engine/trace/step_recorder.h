// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/model/forward_observer.h"
#include "engine/trace/step_trace.h"
#include "kernels/cpu/choose_experts.h"

namespace gatescope {

/// Writes down the routing of one step. It only reads what the pass computed, so recording can
/// never change a token; what it costs is measured and part of the trace.
class StepRecorder final : public ForwardObserver {
  public:
    using Bias = std::function<const std::vector<float>&(int layer)>;
    using IsSpecial = std::function<bool(std::int32_t id)>;

    /// `bias` gives the correction bias [E] of a layer, empty without one.
    StepRecorder(RoutingShape shape, const RouteParams& params, Bias bias, IsSpecial isSpecial,
                 bool keepScores);

    void beginStep(std::int64_t step);
    /// The next pass runs these tokens through the main model / the MTP layer.
    void beginMain(std::int64_t first, std::span<const std::int32_t> tokens, Phase phase);
    void beginMtp(std::int64_t first, std::span<const std::int32_t> nextTokens);

    bool wantsRouting() const override { return true; }
    void onRouting(const LayerRouting& routing) override;

    /// Different experts read by the main model in this step, summed over its MoE layers.
    int distinctExperts() const;
    StepTrace& trace() { return m_trace; }
    StepTrace take();

  private:
    void begin(std::vector<RoutedToken>& tokens, std::int64_t first,
               std::span<const std::int32_t> ids, Phase phase, int rows);
    void record(const LayerRouting& routing, const std::vector<float>& bias, std::int64_t token,
                std::size_t row, TokenRouting& out);
    void keepScores(const LayerRouting& routing, std::int64_t token, std::size_t row);
    std::uint32_t biasDecided(const float* scores, const std::int32_t* chosen);

    RoutingShape m_shape;
    ExpertChooser m_chooser;
    int m_runnerUp;  ///< experts to rank for the margin: k + 1 where so many are eligible
    Bias m_bias;
    IsSpecial m_isSpecial;
    bool m_keepScores;
    std::vector<std::int32_t> m_ids;
    std::vector<RoutedToken>* m_target = nullptr;
    std::size_t m_targetFirst = 0;  ///< where the running pass begins in m_target
    std::vector<std::shared_ptr<std::vector<float>>> m_passScores;  ///< [T] of the running pass
    StepTrace m_trace;
};

}  // namespace gatescope
