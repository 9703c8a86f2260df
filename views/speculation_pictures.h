// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <limits>
#include <vector>

#include "engine/analysis/speculation_stats.h"
#include "views/number_table.h"

namespace gatescope {

/// What a colour stands for in the pictures of speculation.
enum class SpeculationRole {
    Accepted,
    Rejected,
    Neutral,
    Bound,  ///< what would be: a null, a limit
};

/// One set of values by category; NaN: nothing there.
struct SpeculationSeries {
    enum class Look { Bars, Marks, Line };
    QString name;
    SpeculationRole role = SpeculationRole::Neutral;
    Look look = Look::Bars;
    bool stacked = false;  ///< bars: on the series before
    std::vector<double> values;
    std::vector<Interval> intervals;     ///< as long as values, or empty
    std::vector<SpeculationRole> roles;  ///< of single bars; empty: all as `role`
};

/// A picture over categories (draft positions, layers, kinds of token), and its numbers.
struct SpeculationPicture {
    QString xLabel;
    QString yLabel;
    bool share = false;       ///< the values are shares, 0 to 1
    QStringList categories;   ///< short names below the axis
    QStringList texts;        ///< by category, all digits, for hover and cursor
    std::vector<int> layers;  ///< by category, where they are layers; else empty
    std::vector<SpeculationSeries> series;
    double reference = std::numeric_limits<double>::quiet_NaN();  ///< a line across
    QString referenceName;
    QStringList header;
    QStringList headerTips;
    std::vector<std::vector<NumberCell>> rows;
    QString note;   ///< said above it
    QString empty;  ///< said instead of it
};

/// P_i and alpha_i with their Wilson intervals. `mixed`: the steps drafted to different depths.
SpeculationPicture positionsPicture(const SpeculationRates& rates, bool mixed);
/// Steps by how many drafts they accepted.
SpeculationPicture histogramPicture(const SpeculationRates& rates);
/// Distinct experts per verify step by layer, beside plain decoding and the uniform bound.
SpeculationPicture readsPicture(const SpeculationValue& value);
/// Tokens per second by source and depth beside plain steps; times, costs and break-even.
SpeculationPicture gainPicture(const SpeculationValue& value);
/// Acceptance by the kind of the drafted token.
SpeculationPicture classesPicture(const SpeculationValue& value);

/// The table that stands below the time axis: all steps, then by source and by depth.
struct SpeculationTable {
    QStringList header;
    QStringList headerTips;
    std::vector<std::vector<NumberCell>> rows;
};
SpeculationTable setsTable(const SpeculationValue& value);
/// Every step on the time axis.
QString stepsText(const SpeculationValue& value, QChar separator);

}  // namespace gatescope
