// SPDX-License-Identifier: Apache-2.0
// Stands in for sha256.cpp in a build without GLib.
#include "engine/error.h"
#include "engine/report/sha256.h"

namespace gatescope {

std::string sha256Hex(std::string_view) {
    throw fileError("report", "hashes of prompts", "cannot be made by a build without GLib");
}

}  // namespace gatescope
