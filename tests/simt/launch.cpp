// SPDX-License-Identifier: Apache-2.0
#include <simt/launch.h>

#include <memory>

#include "tests/simt/machine.h"
#include "tests/simt/runtime.h"

namespace simt::detail {

namespace {

std::string named(const Launch& launch, const std::string& cause) {
    return std::string("kernel '") + launch.name + "': " + cause;
}

cudaError_t checkShape(const Launch& launch) {
    const dim3 grid = launch.grid;
    const dim3 block = launch.block;
    const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
    if (threads == 0 || threads > 1024 || block.x > 1024 || block.y > 1024 || block.z > 64)
        return fail(cudaErrorInvalidConfiguration,
                    named(launch, std::to_string(threads) + " threads in a block"));
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 ||
        grid.z > 65535)
        return fail(cudaErrorInvalidConfiguration,
                    named(launch, "a grid of " + std::to_string(grid.x) + " x " +
                                      std::to_string(grid.y) + " x " + std::to_string(grid.z)));
    if (launch.sharedBytes > options().sharedBytesPerBlock)
        return fail(cudaErrorInvalidValue, named(launch, std::to_string(launch.sharedBytes) +
                                                             " bytes of dynamic shared memory"));
    return cudaSuccess;
}

/// What is wrong with a pointer that a kernel is given; empty if nothing is.
std::string complaintAbout(const void* pointer, int device) {
    if (pointer == nullptr) return {};
    const auto* allocation = findAllocation(pointer, 0);
    if (allocation == nullptr) return "host pointer (or freed memory) passed to a kernel";
    const int home = allocation->second.device;
    if (home >= 0 && home != device)
        return "memory of device " + std::to_string(home) + " passed to a kernel on device " +
               std::to_string(device);
    return {};
}

cudaError_t checkPointers(const Launch& launch, int device) {
    for (const PointerArgument& argument : launch.pointers) {
        const std::string complaint = complaintAbout(argument.pointer, device);
        if (!complaint.empty())
            return fail(
                cudaErrorLaunchFailure,
                named(launch, complaint + " (argument " + std::to_string(argument.argument) + ")"));
    }
    return cudaSuccess;
}

cudaError_t runKernel(const Launch& launch, int device) {
    cudaError_t error = plannedFault(launch.name);
    if (error != cudaSuccess) return fail(error, named(launch, "a planned fault"));
    error = checkPointers(launch, device);
    if (error != cudaSuccess) return error;
    ++Runtime::instance().launches;
    std::string complaint = Machine::instance().run(launch);
    if (!complaint.empty()) return fail(cudaErrorLaunchFailure, complaint);
    for (const PointerArgument& argument : launch.pointers) {
        complaint = checkCanaries(argument.pointer);
        if (!complaint.empty())
            return fail(
                cudaErrorLaunchFailure,
                named(launch, complaint + " (argument " + std::to_string(argument.argument) + ")"));
    }
    return cudaSuccess;
}

}  // namespace

cudaError_t launch(cudaStream_t handle, Launch launch) {
    const std::lock_guard lock(Runtime::instance().lock);
    if (options().deviceCount == 0) return fail(cudaErrorNoDevice);
    const CUstream_st* stream = Runtime::instance().find(handle);
    if (stream == nullptr || stream->device != currentDevice())
        return fail(cudaErrorInvalidResourceHandle,
                    named(launch, "no stream of the current device"));
    cudaError_t error = checkShape(launch);
    if (error == cudaSuccess) error = checkPointers(launch, stream->device);
    if (error != cudaSuccess) return error;
    // Shared, since a graph keeps the work too.
    const auto kernel = std::make_shared<const Launch>(std::move(launch));
    return submit(handle, {kernel->name, [kernel, device = stream->device] {
                               return runKernel(*kernel, device);
                           }});
}

}  // namespace simt::detail
