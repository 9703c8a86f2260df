// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kernels/backend.h"
#include "kernels/device.h"

namespace gatescope {

/// Which device and how it computes.
struct DeviceOptions {
    std::string name = "cpu";            ///< "cpu" or "cuda:N"
    std::optional<Precision> precision;  ///< nothing: exact on the cpu, fast on a GPU
    int threads = 0;                     ///< of the cpu device; 0: one per core
};

/// Throws Error naming the device and why it is not to be had.
std::unique_ptr<Device> makeDevice(const DeviceOptions& options);

/// Whether the text has the form of a device name: "cpu" or "cuda:N".
bool isDeviceName(const std::string& text);

/// The GPUs of this machine, or in `problem` one sentence on why none is offered.
BackendReport probeGpus();

}  // namespace gatescope
