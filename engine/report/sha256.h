// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace gatescope {

/// SHA-256 of some bytes, 64 hexadecimal digits. Throws Error in a build without GLib.
std::string sha256Hex(std::string_view bytes);

}  // namespace gatescope
