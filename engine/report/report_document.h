// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/report/document.h"
#include "engine/report/report_value.h"
#include "engine/report/report_words.h"

namespace gatescope {

/// A report as a person reads it, section by section (engine/report/sections).
Document reportDocument(const ReportValue& report, ReportLanguage language);

}  // namespace gatescope
