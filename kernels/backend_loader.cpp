// SPDX-License-Identifier: Apache-2.0
#include "kernels/backend_loader.h"

#include <dlfcn.h>

#include <filesystem>

namespace gatescope {

namespace {

constexpr const char* kModule = "libgatescope_cuda.so";

std::filesystem::path findModule() {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return {};
    const auto folder = program.parent_path();
    for (const auto& candidate :
         {folder / "backends", folder.parent_path() / GATESCOPE_BACKEND_DIR}) {
        if (std::filesystem::is_regular_file(candidate / kModule, error))
            return candidate / kModule;
    }
    return {};
}

LoadedBackend load() {
    const auto file = findModule();
    if (file.empty()) return {nullptr, "this build has no CUDA backend"};
    void* module = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!module) return {nullptr, std::string("the CUDA backend cannot be loaded: ") + dlerror()};
    const auto entry = reinterpret_cast<BackendEntry>(dlsym(module, kBackendEntry));
    if (!entry) return {nullptr, file.string() + ": this is no backend of Gatescope"};
    const BackendApi* api = entry();
    if (api->version != kBackendApiVersion)
        return {nullptr, file.string() + ": this backend is of version " +
                             std::to_string(api->version) + ", the program takes version " +
                             std::to_string(kBackendApiVersion)};
    return {api, {}};
}

}  // namespace

const LoadedBackend& cudaBackend() {
    static const LoadedBackend backend = load();
    return backend;
}

}  // namespace gatescope
