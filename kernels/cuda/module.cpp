// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>

#include <algorithm>
#include <string>

#include "kernels/backend.h"
#include "kernels/cuda/blas.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/device_error.h"

// What the module shows to the program: which GPUs there are, and a device for one of them.

namespace gatescope::cuda {

namespace {

constexpr int kLeastCapability = 80;
// Caches, intermediate results and cuBLAS take this much before any weight.
constexpr std::size_t kLeastFreeBytes = 256 << 20;

std::string versionText(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// Why there are no devices at all; empty if there are some.
std::string driverProblem(cudaError_t result, int devices) {
    if (result == cudaErrorInsufficientDriver) {
        int driver = 0;
        int runtime = 0;
        cudaDriverGetVersion(&driver);
        cudaRuntimeGetVersion(&runtime);
        if (driver == 0) return "no NVIDIA driver is installed";
        return "the NVIDIA driver supports CUDA " + versionText(driver) + " at most, but " +
               versionText(runtime) + " is needed";
    }
    if (result == cudaErrorNoDevice || (result == cudaSuccess && devices == 0))
        return "there is no NVIDIA GPU here";
    if (result == cudaSuccess) return {};
    return std::string("the CUDA driver does not answer: ") + cudaGetErrorString(result);
}

std::string deviceProblem(int ordinal, BackendDevice& device, const cudaDeviceProp& properties) {
    if (properties.major * 10 + properties.minor < kLeastCapability)
        return "compute capability " + device.capability + " is too old, 8.0 is needed";
    const auto set = cudaSetDevice(ordinal);
    const auto asked =
        set == cudaSuccess ? cudaMemGetInfo(&device.memory.free, &device.memory.total) : set;
    if (asked != cudaSuccess) {
        cudaGetLastError();
        return std::string("the GPU cannot be used: ") + cudaGetErrorString(asked);
    }
    if (device.memory.free < kLeastFreeBytes)
        return "not enough memory: " + std::to_string(kLeastFreeBytes >> 20) + " MiB needed, " +
               std::to_string(device.memory.free >> 20) + " MiB free";
    return {};
}

BackendDevice describeDevice(int ordinal) {
    BackendDevice device;
    device.name = "cuda:" + std::to_string(ordinal);
    cudaDeviceProp properties{};
    if (const auto result = cudaGetDeviceProperties(&properties, ordinal); result != cudaSuccess) {
        cudaGetLastError();
        device.problem = std::string("the GPU does not answer: ") + cudaGetErrorString(result);
        return device;
    }
    device.model = properties.name;
    device.memory.total = properties.totalGlobalMem;
    device.computeUnits = properties.multiProcessorCount;
    device.capability = std::to_string(properties.major) + "." + std::to_string(properties.minor);
    device.problem = deviceProblem(ordinal, device, properties);
    return device;
}

BackendReport probe() {
    BackendReport report;
    int devices = 0;
    const auto result = cudaGetDeviceCount(&devices);
    if (result != cudaSuccess) cudaGetLastError();
    report.problem = driverProblem(result, devices);
    if (!report.problem.empty()) return report;
    // Asking a GPU makes it the thread's current one; a device in use must stay that.
    int current = 0;
    check(cudaGetDevice(&current), "device");
    for (int i = 0; i < devices; ++i) report.devices.push_back(describeDevice(i));
    check(cudaSetDevice(current), "device");
    if (!blasProblem().empty()) report.note = blasProblem();
    return report;
}

std::unique_ptr<Device> create(int ordinal, Precision precision) {
    return std::make_unique<CudaDevice>(ordinal, precision);
}

}  // namespace

}  // namespace gatescope::cuda

extern "C" __attribute__((visibility("default"))) const gatescope::BackendApi* gatescope_backend() {
    static const gatescope::BackendApi api{gatescope::kBackendApiVersion, "cuda",
                                           gatescope::cuda::probe, gatescope::cuda::create};
    return &api;
}
