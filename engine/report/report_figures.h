// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/report/figure.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// Width of every figure in points: the text's on A4.
inline constexpr double kFigureWidth = 500;

enum class LoadMapScale : std::uint8_t {
    Quantity,    ///< viridis from 0 to `limit`
    Difference,  ///< blue to orange, -limit to limit
};

/// A layers x experts map: a row for each MoE layer, the MTP layer's apart below.
struct LoadMapFigure {
    std::string title;
    RoutingShape shape;
    std::vector<double> values;  ///< [rows * E], NaN: not enough data
    LoadMapScale scale = LoadMapScale::Quantity;
    double limit = 1;
    std::string unit;        ///< beside the scale: "relative load"
    std::string expertAxis;  ///< "expert"
    std::string layerAxis;   ///< "layer"
    std::string noData;      ///< beside its colour: "not enough tokens"
    std::string map;         ///< FigureGrid::map
};
Figure draw(const LoadMapFigure& map);

/// Bars with, where wanted, two lines of reference beside each.
struct BarsFigure {
    std::string title;
    std::vector<std::string> labels;  ///< below the bars; as many are shown as fit
    std::vector<double> values;       ///< NaN: no bar
    std::vector<double> second;       ///< a second bar beside each; empty: none
    std::vector<double> mean;         ///< a line across each bar's place; empty: none
    std::vector<double> bound;        ///< a dashed one; empty: none
    std::string axis;                 ///< what the labels count
    std::string valueName;            ///< of the legend, as the next ones; empty: left out
    std::string secondName;
    std::string meanName;
    std::string boundName;
    double reference = 0;  ///< a line across everything, where not 0
};
Figure draw(const BarsFigure& bars);

}  // namespace gatescope
