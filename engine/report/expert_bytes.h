// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace gatescope {

/// Bytes of one routed expert's weights in one layer as config.json has them: gate, up and down
/// projection, 3 hidden_size moe_intermediate_size values of torch_dtype, or with fp8 blocks one
/// byte each and a float32 scale for every block begun. 0 where the text does not say.
std::int64_t expertWeightBytes(std::string_view configJson);

}  // namespace gatescope
