// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// One position's routing as a compact blob, little endian, floats bit for bit:
///
///     offset  size             content
///     0       1                version, 1
///     1       1                flags; bit 0: expert ids take 2 bytes instead of 1; others 0
///     2       1                k, 0..32
///     3       2                rows
///     5       rows*k*(1|2)     expert ids [rows][k]
///     ...     rows*k*4         gate weights [rows][k], float32
///     ...     rows*4           choice margins [rows], float32
///     ...     rows*ceil(k/8)   bias-decided bits [rows], bit j for choice j
///
/// `scores` are not kept. Throws Error if the arrays do not fit together (k over 32, rows over
/// 65535, a bit beyond k).
std::vector<std::uint8_t> encodeRouting(const TokenRouting& routing);

/// The reverse; throws Error naming the cause if the blob is not exactly one encoding. Never reads
/// beyond it and allocates no more than a small multiple of its size.
TokenRouting decodeRouting(std::string_view blob);

}  // namespace gatescope
