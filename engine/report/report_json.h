// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "engine/report/report_value.h"

namespace gatescope {

/// A report in the envelope "moe-routing-report/1", which docs/report-format.md describes: JSON in
/// UTF-8, one layer's arrays on one line each. Everything in the report is in it. What is not UTF-8
/// in a text becomes U+FFFD.
std::string reportJson(const ReportValue& report);

/// A report as reportJson() wrote it, which gives the same bytes again. Balances are computed again
/// from their rows; keys that are not known are left alone. Distrusts what it reads: throws Error
/// "FILE: ITEM: CAUSE". `file` is what messages call the bytes.
ReportValue reportFromJson(std::string_view bytes, const std::string& file);

}  // namespace gatescope
