// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <vector>

#include "engine/report/placement_plan.h"
#include "views/number_table.h"

namespace gatescope {

/// One of the things that engines call balance, and how it reads.
struct PlacementMeasure {
    QString name;  ///< as in docs/placement.md
    QString definition;
    QString even;  ///< its value where every GPU has the same load
    double PredictedBalance::*value = nullptr;
};
/// All of them, the time lost to waiting last.
std::vector<PlacementMeasure> placementMeasures();
/// The target engine's own; vLLM's for those that define none.
PlacementMeasure targetMeasure(PlacementTarget target);
bool definesMeasure(PlacementTarget target);

QString targetName(PlacementTarget target);
QString policyName(PlacementPolicy policy);
/// What a plan is compared with.
QString placementBeforeText(const PlacementPlan& plan);

using NumberRows = std::vector<std::vector<NumberCell>>;

/// measure, before, placed, even
NumberRows placementMeasureRows(const PlacementPlan& plan);
/// what, number: slots without use, memory, and what has to be sent
NumberRows placementCostRows(const PlacementPlan& plan);
/// policy, on its own half, held out, 95 % from, to
NumberRows placementHeldOutRows(const PlacementPlan& plan);
/// "n = 12 345 choices in 24 blocks", and what cannot be said with that.
QString placementCaveats(const PlacementPlan& plan);
/// The load of one GPU before and after; empty outside.
QString gpuLoadText(const PlacementPlan& plan, int gpu);
/// gpu, before, placed: all digits.
QString gpuLoadsText(const PlacementPlan& plan, QChar separator);

}  // namespace gatescope
