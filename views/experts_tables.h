// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPalette>
#include <optional>
#include <vector>

#include "views/experts_view.h"
#include "views/number_table.h"

namespace gatescope {

/// Where a click on a table cell leads.
struct ExpertsTarget {
    int layer = -1;
    int expert = -1;
};

/// A table of the Experts view, ready to be shown.
struct ExpertsTable {
    QString name;
    QStringList header;
    QStringList headerTips;
    std::vector<std::vector<NumberCell>> rows;
    /// By row: where its first and its second column lead; empty where the table leads nowhere.
    std::vector<std::pair<ExpertsTarget, ExpertsTarget>> targets;
    bool numeric = true;  ///< the first column holds numbers too
    QString empty;        ///< said instead of an empty table
};

ExpertsTable topTokensTable(const ExpertsValue& value, const QPalette& palette);
ExpertsTable coactiveTable(const ExpertsValue& value, const QPalette& palette);
ExpertsTable neighbourTable(const ExpertsValue& value, bool after, const QPalette& palette);
ExpertsTable domainsTable(const ExpertsValue& value);
ExpertsTable windowsTable(const ExpertsValue& value);
ExpertsTable pairsTable(const ExpertsValue& value);
/// What the layer's choices tell about those of the next one.
ExpertsTable nextLayerTable(const ExpertsValue& value);
/// Every size of the cache, or powers of two only.
ExpertsTable cacheTable(const ExpertsValue& value, bool everySize);

/// "relative load 1.53 · chosen 19 of n = 389": with what chance gives.
QString expertHeadline(const ExpertsValue& value);
QString expertDetails(const ExpertsValue& value);
QString layerHeadline(const ExpertsValue& value);
QString layerDetails(const ExpertsValue& value);
/// "layer 3" or "MTP layer 61".
QString layerName(const RoutingShape& shape, int layer);

/// With all digits, for copying.
QString tableText(const ExpertsTable& table, QChar separator);

}  // namespace gatescope
