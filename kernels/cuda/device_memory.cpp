// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/device_memory.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <string>

#include "kernels/cuda/check.h"
#include "kernels/device_error.h"

namespace gatescope::cuda {

namespace {

std::string mib(std::size_t bytes) {
    return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

}  // namespace

void* allocateDeviceMemory(std::size_t bytes) {
    void* memory = nullptr;
    const auto result = cudaMalloc(&memory, std::max<std::size_t>(1, bytes));
    if (result != cudaErrorMemoryAllocation) {
        check(result, "allocation");
        return memory;
    }
    cudaGetLastError();  // so that the next operation does not report this one
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "memory size");
    throw DeviceMemoryError("not enough GPU memory: " + mib(bytes) + " more needed, " + mib(free) +
                            " free of " + mib(total));
}

}  // namespace gatescope::cuda
