// SPDX-License-Identifier: Apache-2.0
#include "engine/model/make_device.h"

#include <algorithm>

#include "engine/error.h"
#include "kernels/backend_loader.h"
#include "kernels/cpu/cpu_device.h"
#include "kernels/device_error.h"

namespace gatescope {

namespace {

constexpr std::string_view kCudaPrefix = "cuda:";

std::unique_ptr<Device> makeCudaDevice(const DeviceOptions& options) {
    const auto report = probeGpus();
    if (!report.problem.empty())
        throw Error(fmt::format("{}: {}; use --device cpu", options.name, report.problem));
    const auto found = std::find_if(report.devices.begin(), report.devices.end(),
                                    [&](const auto& d) { return d.name == options.name; });
    if (found == report.devices.end())
        throw Error(fmt::format("{}: no such device; there is {}", options.name,
                                report.devices.size() == 1
                                    ? report.devices[0].name
                                    : fmt::format("cuda:0 to cuda:{}", report.devices.size() - 1)));
    if (!found->problem.empty())
        throw Error(fmt::format("{}: {}; use --device cpu", options.name, found->problem));
    const auto ordinal = static_cast<int>(found - report.devices.begin());
    try {
        return cudaBackend().api->create(ordinal, options.precision.value_or(Precision::Fast));
    } catch (const DeviceError& error) {
        throw Error(fmt::format("{}: {}", options.name, error.what()));
    }
}

}  // namespace

bool isDeviceName(const std::string& text) {
    if (text == "cpu") return true;
    if (!text.starts_with(kCudaPrefix)) return false;
    const auto number = text.substr(kCudaPrefix.size());
    return !number.empty() && number.size() <= 3 &&
           number.find_first_not_of("0123456789") == std::string::npos;
}

BackendReport probeGpus() {
    const auto& backend = cudaBackend();
    if (backend.api) return backend.api->probe();
    BackendReport report;
    report.problem = backend.problem;
    return report;
}

std::unique_ptr<Device> makeDevice(const DeviceOptions& options) {
    if (options.name.starts_with(kCudaPrefix)) return makeCudaDevice(options);
    if (options.name != "cpu")
        throw Error(fmt::format("{}: no such device; there are cpu and cuda:N", options.name));
    if (options.precision == Precision::Fast)
        throw Error("cpu: the device computes in float32 only; use --precision exact");
    return std::make_unique<CpuDevice>(options.threads);
}

}  // namespace gatescope
