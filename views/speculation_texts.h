// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <cstddef>

#include "engine/analysis/speculation_stats.h"

namespace gatescope {

/// "MTP" or "lookup".
QString sourceText(DraftSource source);
/// "words", "numbers", ...
QString classText(TokenClass tokenClass);
/// 0.5 as "50.0 %", with a sign: "+50.0 %", "−3.20 %".
QString signedPercent(double share);
/// "2.41 ms"; NaN is an en dash.
QString timeText(double ns);
/// "67.0–88.8 %".
QString intervalText(const Interval& interval);

/// One step of the time axis; `index` in value.steps.
QString stepText(const SpeculationValue& value, std::size_t index);
/// tau, acceptance and gain in one line, each with its n.
QString speculationHeadline(const SpeculationValue& value);
/// Whether speculation pays: tokens per second with and without, and what acceptance would be
/// enough; or why that is not known.
QString gainText(const SpeculationGain& gain);

}  // namespace gatescope
