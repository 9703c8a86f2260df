// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "tests/simt/runtime.h"

using simt::options;
using simt::detail::Call;
using simt::detail::currentDevice;
using simt::detail::fail;

namespace {

constexpr std::size_t kStaticSharedBytes = std::size_t{48} << 10;

bool exists(int device) {
    return device >= 0 && device < options().deviceCount;
}

}  // namespace

cudaError_t cudaDriverGetVersion(int* version) {
    *version = options().driverVersion;
    return fail(simt::detail::plannedFault("cudaDriverGetVersion"));
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = options().runtimeVersion;
    return fail(simt::detail::plannedFault("cudaRuntimeGetVersion"));
}

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 0;
    const Call call("cudaGetDeviceCount");
    if (call.refused() != cudaSuccess) return call.refused();
    *count = options().deviceCount;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    const Call call("cudaSetDevice");
    if (call.refused() != cudaSuccess) return call.refused();
    if (!exists(device)) return fail(cudaErrorInvalidDevice);
    currentDevice() = device;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
    const Call call("cudaGetDevice");
    if (call.refused() != cudaSuccess) return call.refused();
    *device = currentDevice();
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    const Call call("cudaGetDeviceProperties");
    if (call.refused() != cudaSuccess) return call.refused();
    if (!exists(device)) return fail(cudaErrorInvalidDevice);
    cudaDeviceProp p{};
    std::strcpy(p.name, "SIMT shim");
    p.totalGlobalMem = options().deviceMemoryBytes;
    p.sharedMemPerBlock = kStaticSharedBytes;
    p.sharedMemPerBlockOptin = options().sharedBytesPerBlock;
    p.sharedMemPerMultiprocessor = options().sharedBytesPerBlock + 1024;
    p.regsPerBlock = 65536;
    p.warpSize = 32;
    p.maxThreadsPerBlock = 1024;
    p.maxThreadsPerMultiProcessor = 2048;
    const int maxThreads[] = {1024, 1024, 64};
    const int maxBlocks[] = {2147483647, 65535, 65535};
    std::copy(std::begin(maxThreads), std::end(maxThreads), p.maxThreadsDim);
    std::copy(std::begin(maxBlocks), std::end(maxBlocks), p.maxGridSize);
    p.major = options().computeCapabilityMajor;
    p.minor = options().computeCapabilityMinor;
    p.multiProcessorCount = options().multiprocessors;
    p.l2CacheSize = 50 << 20;
    *properties = p;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    const Call call("cudaDeviceGetAttribute");
    if (call.refused() != cudaSuccess) return call.refused();
    cudaDeviceProp p{};
    const cudaError_t error = cudaGetDeviceProperties(&p, device);
    if (error != cudaSuccess) return error;
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock:
            *value = p.maxThreadsPerBlock;
            break;
        case cudaDevAttrMaxSharedMemoryPerBlock:
            *value = static_cast<int>(p.sharedMemPerBlock);
            break;
        case cudaDevAttrWarpSize:
            *value = p.warpSize;
            break;
        case cudaDevAttrMultiProcessorCount:
            *value = p.multiProcessorCount;
            break;
        case cudaDevAttrMaxThreadsPerMultiProcessor:
            *value = p.maxThreadsPerMultiProcessor;
            break;
        case cudaDevAttrComputeCapabilityMajor:
            *value = p.major;
            break;
        case cudaDevAttrComputeCapabilityMinor:
            *value = p.minor;
            break;
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
            *value = static_cast<int>(p.sharedMemPerMultiprocessor);
            break;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            *value = static_cast<int>(p.sharedMemPerBlockOptin);
            break;
        default:
            return fail(cudaErrorInvalidValue, "an attribute that the shim does not know");
    }
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
    const Call call("cudaFuncSetAttribute");
    if (call.refused() != cudaSuccess) return call.refused();
    const bool tooMuch =
        attribute == cudaFuncAttributeMaxDynamicSharedMemorySize &&
        (value < 0 || static_cast<std::size_t>(value) > options().sharedBytesPerBlock);
    return function == nullptr || tooMuch ? fail(cudaErrorInvalidValue) : cudaSuccess;
}
