// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/analysis/load_map.h"
#include "engine/analysis/routing_load.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// What a cell of the routing heatmap means. Saved in settings: new ones go to the end.
enum class RoutingMode {
    RelativeLoad,  ///< q = c E / (n k)
    GateMass,      ///< share of the layer's gate weights, times E
    ThisToken,     ///< gate weights of the selected token
    ZScore,        ///< (c - n k/E) / sqrt(n k/E (1 - k/E)), against a uniform router
    Difference,    ///< relative load minus the pinned reference's
};
inline constexpr int kRoutingModes = 5;

/// How the experts of a layer lie across the heatmap.
enum class ExpertOrder { ById, ByLoad };

/// All that the shown numbers depend on.
struct RoutingInput {
    std::shared_ptr<const RoutingLoad> load;       ///< the newest counts
    std::shared_ptr<const RoutingLoad> reference;  ///< pinned, or nullptr
    /// `load` is the same count as `reference`, carried on: what is compared with the reference is
    /// what came since, not all of `load`, so that no token stands on both sides.
    bool continuesReference = false;
    std::shared_ptr<const RoutedToken> mainToken;
    std::shared_ptr<const RoutedToken> mtpToken;
    RoutingMode mode = RoutingMode::RelativeLoad;
    ExpertOrder order = ExpertOrder::ById;
    unsigned phases = kDefaultPhases;

    /// The selected token in this row, or nullptr; one of another model is not read.
    const RoutedToken* token(int row) const;
    bool isMtpRow(int row) const;
    /// There is a reference and it is of this model.
    bool referenceFits() const;
};

/// The numbers of one picture. Rows as in RoutingLoad, [rows * E] by expert id.
struct RoutingValues {
    std::vector<double> values;  ///< NaN: nothing to show, or not enough tokens
    RoutingCounts shown;         ///< what `values` were made of; Difference: since the reference
    RoutingCounts reference;     ///< Difference only
    /// [rows * E] the expert in each column; empty: by id.
    std::vector<int> experts;

    /// 0-based place of an expert in its row.
    int columnOf(int row, int expert) const;
};
RoutingValues routingValues(const RoutingInput& input);

/// Standard deviation of the difference of two relative loads under a uniform router with
/// independent tokens: sqrt((1/p - 1) (1/n1 + 1/n2)).
double differenceSigma(std::int64_t n1, std::int64_t n2, double p);

}  // namespace gatescope
