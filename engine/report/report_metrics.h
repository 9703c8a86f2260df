// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/analysis/balance.h"
#include "engine/report/report_words.h"

namespace gatescope {

/// How a report names and defines one metric of a layer's balance.
struct ReportMetric {
    BalanceMetric BalanceRow::*member;
    const char* name;
    const char* definition;
    const char* null;  ///< where its null baseline comes from
};

/// In the order in which they are shown.
std::vector<ReportMetric> reportMetrics(const ReportWords& words);

}  // namespace gatescope
