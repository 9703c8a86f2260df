// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/check.h"

#include <string>

#include "kernels/device_error.h"

namespace gatescope::cuda {

void check(cudaError_t result, const char* operation) {
    if (result == cudaSuccess) return;
    // Clears the error, so that the next operation does not report this one again; an error that
    // destroyed the context stays.
    cudaGetLastError();
    throw DeviceError(std::string("cuda: ") + operation + ": " + cudaGetErrorString(result) + " (" +
                      cudaGetErrorName(result) + ")");
}

}  // namespace gatescope::cuda
