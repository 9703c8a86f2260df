// SPDX-License-Identifier: Apache-2.0
#include "engine/model/make_device.h"

#include "engine/error.h"
#include "kernels/cpu/cpu_device.h"

namespace gatescope {

std::unique_ptr<Device> makeDevice(const std::string& name, int threads) {
    if (name == "cpu") return std::make_unique<CpuDevice>(threads);
    if (name.starts_with("cuda"))
        throw Error(fmt::format("{}: this build has no CUDA backend; use --device cpu", name));
    throw Error(fmt::format("{}: no such device; there is cpu", name));
}

}  // namespace gatescope
