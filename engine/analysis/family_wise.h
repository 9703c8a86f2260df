// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

namespace gatescope {

/// p-values adjusted by Holm (1979): p_(i) becomes max over j <= i of (m - j + 1) p_(j), at most 1.
/// Calling everything at or below a level keeps the chance of any false call below it, however the
/// tests depend on each other. NaN p-values stand for tests that were not made: they stay NaN and
/// do not count in m.
std::vector<double> holmAdjusted(std::span<const double> pValues);

}  // namespace gatescope
