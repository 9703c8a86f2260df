// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "engine/analysis/routing_load.h"
#include "engine/report/report_fields.h"

// What writing and reading a report's JSON share.

namespace gatescope {

inline constexpr std::string_view kReportFormatName = "moe-routing-report/";
inline constexpr std::string_view kReportFormat = "moe-routing-report/1";

/// Of a load: ordinary tokens by phase, then special ones by phase.
inline constexpr int kLoadParts = 2 * kPhaseCount;

template <class Load>
auto& loadPart(Load& load, int part) {
    const auto phase = static_cast<std::size_t>(part % kPhaseCount);
    return part < kPhaseCount ? load.phases[phase] : load.special[phase];
}

inline std::string loadPartName(int part) {
    const std::string name(report_fields::kPhases[static_cast<std::size_t>(part % kPhaseCount)]);
    return part < kPhaseCount ? name : "special_" + name;
}

}  // namespace gatescope
