// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/analysis/bias_update.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// DeepSeek-V3 was trained with gamma = 0.001, and with 0 for its last 500 billion tokens.
struct ShadowParams {
    double gamma = 0.001;
    int batchTokens = 64;  ///< tokens between two updates; training used millions
    bool meanCentred = false;

    bool operator==(const ShadowParams&) const = default;
};

/// The shadow bias of a layer after some batches.
struct ShadowPoint {
    std::int64_t batches = 0;
    double maxVio = 0;                               ///< of the batch that led here; NaN at first
    std::shared_ptr<const std::vector<float>> bias;  ///< [E]
};

struct ShadowRow {
    int layer = -1;
    bool mtp = false;
    std::int64_t batches = 0;   ///< updates made
    std::int64_t tokens = 0;    ///< n: tokens of those batches
    int pending = 0;            ///< tokens of the batch that is not full yet
    std::vector<float> bias;    ///< [E] where the rule would have moved the bias
    std::vector<double> delta;  ///< [E] bias minus the model's
    int raised = 0;             ///< experts with delta > 0
    int lowered = 0;            ///< experts with delta < 0
    double largest = 0;         ///< max |delta|
    double rms = 0;
    /// Spearman's rank correlation of delta with the load over all batches; near -1: the rule
    /// pushes against the load, as it should. NaN before the first batch, or when either is
    /// constant.
    double loadCorrelation = 0;
    double maxVio = 0;                 ///< over all batches together (global); NaN before the first
    double meanBatchMaxVio = 0;        ///< mean over the batches (batch); NaN before the first
    std::vector<ShadowPoint> history;  ///< by batches, thinned to at most kShadowPoints, last kept
};
inline constexpr std::size_t kShadowPoints = 64;

struct ShadowValue {
    RoutingShape shape;
    ShadowParams params;
    std::vector<ShadowRow> rows;  ///< MoE layers, then the MTP layer; empty without a bias
};

/// Runs the training rule beside the frozen bias on the traffic of this model. It reads routing and
/// nothing else: the choices were made with the model's bias, so the loads do not answer to the
/// shadow (an open loop), and a run is the same with and without it.
///
/// What counts: prompt and answer positions through the main layers, draft positions through the
/// MTP layer. Special tokens are left out, because a chat has far more of them than training text;
/// rejected positions too, because training never sees them.
class ShadowBias {
  public:
    /// biasByRow: [rows][E], the MTP layer last. Throws Error if it does not fit the shape, or for
    /// parameters out of range (gamma 0..1, 1..2^20 tokens).
    ShadowBias(RoutingShape shape, std::vector<std::vector<float>> biasByRow,
               ShadowParams params = {});

    /// Throws Error for routing that does not fit the shape.
    void add(const RoutedToken& token, bool mtp);
    void add(const StepTrace& step);

    ShadowValue value() const;
    /// [rows][E] the shadow bias now, for a model that is to run with it.
    std::vector<std::vector<float>> bias() const;
    const ShadowParams& params() const { return m_params; }

  private:
    struct Row {
        std::vector<double> bias;             ///< [E]
        std::vector<std::int64_t> load;       ///< [E] of the batch that is not full yet
        std::vector<std::int64_t> totalLoad;  ///< [E] of all batches
        int pending = 0;
        std::int64_t batches = 0;
        double lastMaxVio = 0;
        double maxVioSum = 0;
        std::int64_t stride = 1;  ///< batches between two points of the history
        std::vector<ShadowPoint> history;
    };
    void count(Row& row, const std::uint16_t* experts);
    void finishBatch(Row& row);
    ShadowRow summarise(std::size_t index) const;

    RoutingShape m_shape;
    ShadowParams m_params;
    std::vector<std::vector<float>> m_start;
    std::vector<Row> m_rows;
};

}  // namespace gatescope
