// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/trace/step_trace.h"

// The small blobs of a session file; the large one is trace/routing_codec.h. Little endian.
// Decoding throws Error for a blob of another size and never reads beyond it.

namespace gatescope {

/// Token ids: int32 after int32, nothing else.
std::vector<std::uint8_t> encodeIds(const std::vector<std::int32_t>& ids);
std::vector<std::int32_t> decodeIds(std::string_view blob);

/// Version byte 1, then for each: id int32, raw probability float32. Empty for none.
std::vector<std::uint8_t> encodeAlternatives(const std::vector<TokenEvent::Alternative>& list);
std::vector<TokenEvent::Alternative> decodeAlternatives(std::string_view blob);

/// Numbers of experts, one for each MoE layer: uint16 after uint16, nothing else.
std::vector<std::uint8_t> encodeLayerCounts(const std::vector<std::uint16_t>& counts);
std::vector<std::uint16_t> decodeLayerCounts(std::string_view blob);

}  // namespace gatescope
