// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

namespace gatescope::cuda {

/// Throws DeviceError "cuda: OPERATION: cause (NAME)" unless the call succeeded. No return code of
/// the CUDA runtime is ignored.
void check(cudaError_t result, const char* operation);

}  // namespace gatescope::cuda
