// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gatescope {

/// Text from an untrusted file made fit for a message on a terminal: control characters become
/// \xNN, bytes that are not UTF-8 as well, and what is longer than `most` bytes ends in "...".
std::string printable(std::string_view text, std::size_t most = 200);

}  // namespace gatescope
