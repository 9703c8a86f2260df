// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace gatescope {

/// A NumPy file (format version 1.0) of a matrix of int64, little endian, row after row.
std::string npyBytes(std::span<const std::int32_t> values, std::size_t rows, std::size_t columns);

}  // namespace gatescope
