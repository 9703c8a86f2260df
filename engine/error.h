// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace gatescope {

/// Ends an operation, never the program. what() is one sentence a person can act on: it names the
/// file, the item in it and the cause ("model.safetensors: lm_head.weight: ...").
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The operation was cancelled by the user; not a failure to report.
class Cancelled : public std::exception {
  public:
    const char* what() const noexcept override { return "cancelled"; }
};

/// Builds an Error from its three parts; an empty item is left out.
inline Error fileError(const std::string& file, const std::string& item, const std::string& cause) {
    return item.empty() ? Error(fmt::format("{}: {}", file, cause))
                        : Error(fmt::format("{}: {}: {}", file, item, cause));
}

}  // namespace gatescope
