// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <vector>

#include "engine/analysis/balance.h"

namespace gatescope {

/// One of the metrics that the Balance dock can show.
struct BalanceMetricInfo {
    BalanceMetric BalanceRow::*member;
    QString name;        ///< "MaxVio, all tokens"
    QString header;      ///< of a table column: "MaxVio"
    QString definition;  ///< for tooltips
    bool falls = false;  ///< smaller is less even

    const BalanceMetric& of(const BalanceRow& row) const { return row.*member; }
    /// Larger is worse: the excess over the uniform router, turned round where the metric falls.
    double badness(const BalanceRow& row) const { return falls ? -of(row).excess : of(row).excess; }
};

/// In the order they are shown. Built anew: names follow the language.
std::vector<BalanceMetricInfo> balanceMetrics();

/// "layer 7" or "MTP layer 61".
QString balanceLayerName(const BalanceRow& row);
/// "MaxVio 1.7 · uniform router 1.63, 95 % point 1.9 · excess +0.07 · n = 128 tokens"
QString balanceMetricText(const BalanceMetricInfo& metric, const BalanceRow& row);
QString verdictText(LoadVerdict verdict);

}  // namespace gatescope
