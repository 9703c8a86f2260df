// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <utility>

#include "tests/simt/runtime.h"

namespace {

struct Description {
    cudaError_t error;
    const char* name;
    const char* text;
};

constexpr std::array kDescriptions{
    Description{cudaSuccess, "cudaSuccess", "no error"},
    Description{cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    Description{cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    Description{cudaErrorInitializationError, "cudaErrorInitializationError",
                "initialization error"},
    Description{cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
                "invalid configuration argument"},
    Description{cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection",
                "invalid copy direction for memcpy"},
    Description{cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
                "CUDA driver version is insufficient for CUDA runtime version"},
    Description{cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    Description{cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    Description{cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle",
                "invalid resource handle"},
    Description{cudaErrorIllegalState, "cudaErrorIllegalState",
                "the operation cannot be performed in the present state"},
    Description{cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    Description{cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
                "an illegal memory access was encountered"},
    Description{cudaErrorLaunchTimeout, "cudaErrorLaunchTimeout",
                "the launch timed out and was terminated"},
    Description{cudaErrorHostMemoryAlreadyRegistered, "cudaErrorHostMemoryAlreadyRegistered",
                "part or all of the requested memory range is already mapped"},
    Description{cudaErrorHostMemoryNotRegistered, "cudaErrorHostMemoryNotRegistered",
                "pointer does not correspond to a registered memory region"},
    Description{cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    Description{cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    Description{cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
                "operation not permitted when stream is capturing"},
    Description{cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
                "operation failed due to a previous error during capture"},
    Description{cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
                "operation not permitted on an event last recorded in a capturing stream"},
    Description{cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const Description& describe(cudaError_t error) {
    const auto* found = std::find_if(kDescriptions.begin(), kDescriptions.end(),
                                     [error](const Description& d) { return d.error == error; });
    return found == kDescriptions.end() ? kDescriptions.back() : *found;
}

struct LastError {
    cudaError_t pending = cudaSuccess;
    cudaError_t described = cudaSuccess;
    std::string text;
};

LastError& lastError() {
    static thread_local LastError error;
    return error;
}

}  // namespace

namespace simt::detail {

cudaError_t fail(cudaError_t error, const std::string& text) {
    if (error == cudaSuccess) return error;
    LastError& last = lastError();
    last.pending = last.described = error;
    last.text = describe(error).text;
    if (!text.empty()) last.text += ": " + text;
    return error;
}

}  // namespace simt::detail

cudaError_t cudaGetLastError() {
    return std::exchange(lastError().pending, cudaSuccess);
}

cudaError_t cudaPeekAtLastError() {
    return lastError().pending;
}

const char* cudaGetErrorName(cudaError_t error) {
    return describe(error).name;
}

const char* cudaGetErrorString(cudaError_t error) {
    const LastError& last = lastError();
    return last.described == error && error != cudaSuccess ? last.text.c_str()
                                                           : describe(error).text;
}
