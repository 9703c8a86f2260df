// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/report/document_builder.h"
#include "engine/report/report_value.h"

namespace gatescope {

// A report's sections, in the order in which they stand. Each adds nothing where the report has
// nothing to say about it.

void addSummary(DocumentBuilder& out, const ReportValue& report);
void addMeasured(DocumentBuilder& out, const ReportValue& report);
void addLoadMaps(DocumentBuilder& out, const ReportValue& report);
void addBalance(DocumentBuilder& out, const ReportValue& report);
void addHotAndCold(DocumentBuilder& out, const ReportValue& report);
void addBias(DocumentBuilder& out, const ReportValue& report);
void addCoactivation(DocumentBuilder& out, const ReportValue& report);
void addCache(DocumentBuilder& out, const ReportValue& report);
void addSpeculation(DocumentBuilder& out, const ReportValue& report);
void addComparison(DocumentBuilder& out, const ReportValue& report);
void addPlacement(DocumentBuilder& out, const ReportValue& report);
void addLimits(DocumentBuilder& out, const ReportValue& report);
void addDefinitions(DocumentBuilder& out, const ReportValue& report);
void addSessions(DocumentBuilder& out, const ReportValue& report);

// What several of them say.

/// "7", "61 (MTP)".
std::string layerName(int layer, bool mtp);
/// "prompt, answer, MTP draft".
std::string phasesText(const ReportWords& words, unsigned phases);
/// One sentence for what a comparison found.
std::string verdictSentence(const ReportWords& words, const ComparisonVerdict& verdict);
/// Main rows' means of a metric and of its null.
struct MeanMetric {
    double value = 0;
    double nullMean = 0;
    int rows = 0;    ///< with tokens
    int beyond = 0;  ///< of them, less even than the 95 % point
};
MeanMetric meanOf(const BalanceValue& balance, BalanceMetric BalanceRow::*metric);

}  // namespace gatescope
