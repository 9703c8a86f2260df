// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace gatescope {

/// How many items one task takes when an item costs `work` multiply-adds: handing a task to another
/// thread costs a few microseconds, so it should be worth about ten. A multiple of `step`.
inline std::int64_t taskGrain(std::int64_t work, std::int64_t step = 1) {
    constexpr std::int64_t kTaskWork = 32 * 1024;
    const auto items = kTaskWork / std::max<std::int64_t>(work, 1);
    return std::max(step, items / step * step);
}

}  // namespace gatescope
