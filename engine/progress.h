// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace gatescope {

/// Called now and then by long operations with what is being done and how far it is; returning
/// false cancels the operation, which then throws Cancelled. May be empty.
using Progress =
    std::function<bool(std::string_view what, std::uint64_t done, std::uint64_t total)>;

}  // namespace gatescope
