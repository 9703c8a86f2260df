// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace gatescope::cuda {

/// cudaMalloc that throws DeviceMemoryError with needed and free bytes when memory runs out, and
/// DeviceError for anything else. Memory of the current device, aligned to 256 bytes.
void* allocateDeviceMemory(std::size_t bytes);

}  // namespace gatescope::cuda
