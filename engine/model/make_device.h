// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "kernels/device.h"

namespace gatescope {

/// The device of that name: "cpu". `threads` 0: one per core. Throws Error naming the device and
/// why it is not to be had.
std::unique_ptr<Device> makeDevice(const std::string& name, int threads);

}  // namespace gatescope
