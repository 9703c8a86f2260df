// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernels/backend.h"

namespace gatescope {

/// The backend of that name, or why there is none. A module is looked for in the program's own
/// folders only: `backends` beside the program, then `../lib/gatescope/backends` as installed. It
/// is loaded once and never unloaded.
struct LoadedBackend {
    const BackendApi* api = nullptr;
    std::string problem;  ///< one sentence if api is null
};
const LoadedBackend& cudaBackend();

}  // namespace gatescope
