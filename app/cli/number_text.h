// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace gatescope::cli {

/// Three significant digits; "-" where there is no figure.
inline std::string numberText(double value) {
    if (std::isnan(value)) return "-";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    return std::abs(value) >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

/// "4.2 %".
inline std::string percentText(double value) {
    return std::isfinite(value) ? fmt::format("{:.3g} %", 100 * value) : std::string("-");
}

/// "low..high".
inline std::string rangeText(double low, double high) {
    return std::isfinite(low) && std::isfinite(high) ? numberText(low) + ".." + numberText(high)
                                                     : std::string("-");
}

}  // namespace gatescope::cli
