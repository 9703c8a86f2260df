// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace gatescope {

/// [n] the column for each row, all different, so that the sum of the gains is as large as can be
/// (assignment problem, solved by shortest augmenting paths as Jonker and Volgenant 1987 do, n^3
/// steps). `gains`: [n * n], row-major.
std::vector<std::size_t> bestMatching(std::span<const double> gains, std::size_t n);

}  // namespace gatescope
