// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/device.h"

// A backend is a module beside the program, loaded when the program runs, so that one build serves
// machines with and without its driver. Program and module come from one build: they share C++
// types, and kBackendApiVersion is raised whenever this file or kernels/device.h changes.

namespace gatescope {

inline constexpr int kBackendApiVersion = 1;

/// A device a backend offers, or why it does not.
struct BackendDevice {
    std::string name;  ///< as on the command line: "cuda:0"
    std::string model;
    DeviceMemory memory;
    int computeUnits = 0;    ///< streaming multiprocessors
    std::string capability;  ///< "9.0"
    std::string problem;     ///< one sentence if it cannot be used, else empty
};

/// What a backend found on this machine.
struct BackendReport {
    std::vector<BackendDevice> devices;
    std::string problem;  ///< one sentence if there is no device at all, else empty
    std::string note;     ///< what limits the devices, such as a missing library; may be empty
};

/// The table a backend module exports under the name kBackendEntry.
struct BackendApi {
    int version = kBackendApiVersion;  ///< first, so that any version can be read
    const char* name = nullptr;        ///< "cuda"
    BackendReport (*probe)() = nullptr;
    /// Throws DeviceError.
    std::unique_ptr<Device> (*create)(int ordinal, Precision precision) = nullptr;
};

inline constexpr const char* kBackendEntry = "gatescope_backend";
/// The type of that symbol.
using BackendEntry = const BackendApi* (*)();

}  // namespace gatescope
