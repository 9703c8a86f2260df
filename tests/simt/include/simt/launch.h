// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>
#include <simt/kernel_language.h>

#include <functional>
#include <tuple>
#include <type_traits>
#include <vector>

namespace simt {

namespace detail {

/// A pointer found in a kernel's arguments.
struct PointerArgument {
    const void* pointer;
    int argument;  ///< counted from 1
};

struct Launch {
    const char* name = "";
    dim3 grid;
    dim3 block;
    std::size_t sharedBytes = 0;
    std::vector<PointerArgument> pointers;
    std::function<void()> thread;  ///< what every thread does
};

cudaError_t launch(cudaStream_t stream, Launch launch);

struct PointerCollector {
    std::vector<PointerArgument>* pointers;
    int argument;
    void operator()(const volatile void* pointer) const {
        pointers->push_back({const_cast<const void*>(pointer), argument});
    }
};

template <typename Arg>
void collectPointers(std::vector<PointerArgument>& pointers, int argument, const Arg& arg) {
    const PointerCollector collect{&pointers, argument};
    if constexpr (std::is_pointer_v<Arg>) {
        collect(arg);
    } else if constexpr (requires { forEachPointer(arg, collect); }) {
        forEachPointer(arg, collect);
    }
}

}  // namespace detail

/// Starts a kernel: at once, or, while the stream is being captured, when the graph is launched.
/// cudaErrorLaunchFailure if a thread did what it must not; cudaGetErrorString then tells kernel,
/// block, thread and cause.
template <typename... Params>
cudaError_t launch(const char* name, void (*kernel)(Params...), dim3 grid, dim3 block,
                   std::size_t sharedBytes, cudaStream_t stream,
                   std::type_identity_t<Params>... args) {
    static_assert((std::is_trivially_copyable_v<Params> && ...),
                  "kernel arguments are copied bit by bit");
    detail::Launch launch{name, grid, block, sharedBytes, {}, {}};
    int argument = 0;
    (detail::collectPointers(launch.pointers, ++argument, args), ...);
    launch.thread = [kernel, arguments = std::make_tuple(args...)] {
        std::apply(kernel, arguments);
    };
    return detail::launch(stream, std::move(launch));
}

}  // namespace simt
