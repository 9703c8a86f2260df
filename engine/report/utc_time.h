// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace gatescope {

/// Unix time in milliseconds as ISO 8601, whole seconds: "2026-11-26T09:30:00Z". Times outside of
/// the years 1 to 9999 become the nearest one inside.
std::string isoUtc(std::int64_t unixMs);

}  // namespace gatescope
