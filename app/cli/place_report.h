// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "engine/analysis/placement_score.h"
#include "engine/report/placement_formats.h"

namespace gatescope::cli {

/// Balance that a placement would have on the traffic it is scored with, as each engine defines it.
struct PredictedBalance {
    double sglang = 0;
    double vllm = 0;
    double vllmPeakRatio = 0;
    double tensorRt = 0;
    double stragglerCost = 0;
};
PredictedBalance predictedBalance(const Placement& placement, const ExpertLoads& loads);

/// What `place` found.
struct PlaceReport {
    std::string source;
    std::string format;
    std::string policy;
    std::size_t blocks = 0;
    double choices = 0;  ///< expert choices in all layers
    int groups = 1;
    bool nodeLimit = false;
    bool fromSessions = false;
    PlacedLayers layers;
    Placement placement;
    std::string beforeName;
    std::optional<PredictedBalance> before;  ///< nothing where experts do not divide among GPUs
    PredictedBalance after;
    std::optional<SplitScore> heldOut;      ///< nothing with fewer than two blocks
    std::optional<SplitScore> heldOutEplb;  ///< of EPLB on the same halves
    std::optional<std::int64_t> moved;
    std::int64_t expertBytes = 0;  ///< 0: not said
};

/// `maps`: with phy2log, log2phy and logcnt.
nlohmann::ordered_json placeJson(const PlaceReport& report, bool maps);
std::string placeText(const PlaceReport& report);

}  // namespace gatescope::cli
