// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/analysis/uniform_router.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// Part of a phase mask, beside bit i for phase i: special tokens (BOS, role markers, end tokens)
/// of these phases count too. Without it they do not: their routing is extreme, and in a short
/// prompt they would be most of it.
inline constexpr unsigned kSpecialTokens = 1U << static_cast<unsigned>(kPhaseCount);
/// The phases that are the model's own work on prompt and answer, special tokens left out.
inline constexpr unsigned kDefaultPhases = (1U << static_cast<unsigned>(Phase::Prefill)) |
                                           (1U << static_cast<unsigned>(Phase::Decode)) |
                                           (1U << static_cast<unsigned>(Phase::Draft));
inline constexpr unsigned kAllTokens = kSpecialTokens | (kSpecialTokens - 1);

/// Counts of one phase: rows are the shape's layers, then the MTP layer if there is one. The
/// vectors are empty until something was counted.
struct PhaseLoad {
    std::int64_t tokens = 0;           ///< n: positions routed through the main layers
    std::int64_t mtpTokens = 0;        ///< n of the MTP row
    std::vector<std::int64_t> counts;  ///< [rows * E] times chosen, c
    std::vector<double> gateMass;      ///< [rows * E] sum of gate weights, m

    // Of the steps that had tokens of this phase. Positions that were added without their step are
    // in no step.
    std::vector<StepSize> stepSizes;     ///< tokens through the main layers, ascending sizes
    std::vector<StepSize> mtpStepSizes;  ///< tokens through the MTP layer
    std::vector<double> stepMaxVio;      ///< [rows] sum over steps of the step's own MaxVio
};

/// An immutable snapshot of expert load, by phase. Made by RoutingLoadCounter.
struct RoutingLoad {
    RoutingShape shape;
    std::array<PhaseLoad, kPhaseCount> phases;   ///< ordinary tokens
    std::array<PhaseLoad, kPhaseCount> special;  ///< special tokens, counted apart

    int rows() const {
        return static_cast<int>(shape.layers.size()) + (shape.mtpLayer >= 0 ? 1 : 0);
    }
    int rowOfLayer(int layer) const;  ///< -1: not an MoE layer
    int layerOfRow(int row) const;

    /// The parts that a phase mask (bit i: phase i; kSpecialTokens) stands for and that hold
    /// counts.
    std::vector<const PhaseLoad*> parts(unsigned phaseMask) const;
    /// Tokens that count in this row over the chosen phases.
    std::int64_t tokens(int row, unsigned phaseMask) const;
    std::int64_t count(int row, int expert, unsigned phaseMask) const;
    /// q_i = c_i E / (n k); 1 is the fair share. NaN without tokens.
    double relativeLoad(int row, int expert, unsigned phaseMask) const;
    /// Share of the row's gate mass times E; 1 is the fair share. NaN without tokens.
    double relativeGateMass(int row, int expert, unsigned phaseMask) const;
    /// max_i q_i - 1 of the row. NaN without tokens.
    double maxVio(int row, unsigned phaseMask) const;
    /// Sizes of the steps with tokens in this row. The tokens that a step has in two of the chosen
    /// parts (two phases, or special and ordinary ones) are two steps.
    std::vector<StepSize> stepSizes(int row, unsigned phaseMask) const;
    /// Mean over these steps of each one's own MaxVio. NaN without steps.
    double stepMaxVio(int row, unsigned phaseMask) const;
    /// Adds what was counted elsewhere with the same shape.
    void merge(const RoutingLoad& other);
};

/// Adds up what steps recorded. Not thread-safe; lives where the steps arrive.
class RoutingLoadCounter {
  public:
    explicit RoutingLoadCounter(RoutingShape shape);
    /// All of the step or, where one position does not fit the model (Error), nothing.
    void add(const StepTrace& step);
    /// One position without its step: it counts everywhere but in the statistics of steps.
    void add(const RoutedToken& token, bool mtp);
    std::shared_ptr<const RoutingLoad> snapshot() const;
    const RoutingLoad& load() const { return m_load; }

  private:
    void check(const RoutedToken& token, bool mtp) const;
    PhaseLoad& phaseOf(const RoutedToken& token);
    void count(const RoutedToken& token, bool mtp);
    void countStep(const std::vector<RoutedToken>& tokens, bool mtp);
    void countStepPart(const std::vector<const RoutedToken*>& tokens, bool mtp);

    RoutingLoad m_load;
    std::vector<std::int64_t> m_stepCounts;  ///< [rows * E], zero between calls
};

}  // namespace gatescope
