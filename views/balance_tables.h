// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPalette>
#include <QStringList>
#include <cstddef>
#include <vector>

#include "views/balance_metrics.h"
#include "views/number_table.h"

namespace gatescope {

// The two tables of the Balance dock: layers x metrics, and the experts of one layer.

QStringList balanceLayersHeader(const std::vector<BalanceMetricInfo>& metrics);
/// Column of a metric in the layers table, and back (-1: no metric's column).
int metricColumn(int metric);
int metricOfColumn(const std::vector<BalanceMetricInfo>& metrics, int column);

/// Rows of the value in the order of a column: worst first (metrics by their excess), or the other
/// way round. Rows without a number come last, and the MTP layer, another router, after all.
std::vector<std::size_t> balanceOrder(const BalanceValue& value,
                                      const std::vector<BalanceMetricInfo>& metrics, int column,
                                      bool worstFirst);
/// What chance explains is muted.
std::vector<std::vector<NumberCell>> balanceLayerCells(
    const BalanceValue& value, const std::vector<BalanceMetricInfo>& metrics,
    const std::vector<std::size_t>& order, const QPalette& palette);
/// One cell in words, for the status bar.
QString balanceCellText(const BalanceValue& value, const BalanceRow& row,
                        const std::vector<BalanceMetricInfo>& metrics, int column);
/// All metrics with their nulls, in the order of layers.
QString balanceTableText(const BalanceValue& value, const std::vector<BalanceMetricInfo>& metrics,
                         QChar separator);

QStringList balanceExpertsHeader();
/// Hot ones first, then dead, cold, not seen and ordinary ones; the farthest from the fair share
/// first.
std::vector<std::size_t> balanceExpertOrder(const BalanceRow& row);
std::vector<std::vector<NumberCell>> balanceExpertCells(const BalanceRow& row,
                                                        const std::vector<std::size_t>& order,
                                                        const QPalette& palette);
QString balanceExpertText(const BalanceRow& row, int expert);
QString balanceVerdictsText(const BalanceRow& row, const BalanceValue& value);
QString balanceExpertsText(const BalanceRow& row, QChar separator);

/// Columns that can be clicked, as wide as their contents; the verdicts stand before the metrics
/// that are looked at less.
void prepareLayersTable(NumberTable* table, const std::vector<BalanceMetricInfo>& metrics);
/// An arrow in the header of the column that sorts.
void showSorting(NumberTable* table, const std::vector<BalanceMetricInfo>& metrics, int column,
                 bool worstFirst);

}  // namespace gatescope
