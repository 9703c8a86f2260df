// SPDX-License-Identifier: Apache-2.0
#include "tests/simt/runtime.h"

#include <algorithm>

#include "tests/simt/machine.h"

namespace simt {

namespace detail {

namespace {

/// A call that is unsafe during a capture ends every capture that it disturbs.
cudaError_t disturbCaptures(Runtime& runtime, const char* call) {
    bool disturbed = false;
    const auto disturb = [&](CUstream_st& stream) {
        if (!stream.capture || stream.capture->mode == cudaStreamCaptureModeRelaxed) return;
        if (stream.capture->mode == cudaStreamCaptureModeThreadLocal &&
            stream.capture->thread != std::this_thread::get_id())
            return;
        stream.capture->invalidated = true;
        disturbed = true;
    };
    for (const cudaStream_t stream : runtime.streams) disturb(*stream);
    return disturbed ? fail(cudaErrorStreamCaptureUnsupported, call) : cudaSuccess;
}

}  // namespace

Runtime& Runtime::instance() {
    static Runtime runtime;
    return runtime;
}

CUstream_st* Runtime::find(cudaStream_t stream) {
    if (stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread) {
        while (defaultStreams.size() <= static_cast<std::size_t>(currentDevice())) {
            defaultStreams.emplace_back();
            defaultStreams.back().device = static_cast<int>(defaultStreams.size()) - 1;
        }
        return &defaultStreams[static_cast<std::size_t>(currentDevice())];
    }
    return streams.contains(stream) ? stream : nullptr;
}

std::size_t Runtime::deviceBytes(int device) const {
    std::size_t bytes = 0;
    for (const auto& [address, allocation] : allocations)
        if (allocation.device == device) bytes += allocation.bytes;
    return bytes;
}

int& currentDevice() {
    static thread_local int device = 0;
    return device;
}

cudaError_t plannedFault(const std::string& name) {
    for (Fault& fault : options().faults) {
        if (fault.call != name || fault.after-- > 0) continue;
        const cudaError_t error = fault.error;
        if (fault.forever) {
            fault.after = 0;
        } else {
            std::erase_if(options().faults, [&](const Fault& f) { return &f == &fault; });
        }
        return error;
    }
    return cudaSuccess;
}

Call::Call(const char* name, Kind kind) : m_lock(Runtime::instance().lock) {
    m_error = plannedFault(name);
    if (m_error != cudaSuccess) {
        fail(m_error, std::string(name) + ": a planned fault");
    } else if (options().deviceCount == 0) {
        m_error = fail(cudaErrorNoDevice);
    } else if (kind == NotCapturing) {
        m_error = disturbCaptures(Runtime::instance(), name);
    }
}

}  // namespace detail

Statistics statistics() {
    detail::Runtime& runtime = detail::Runtime::instance();
    const std::lock_guard lock(runtime.lock);
    Statistics result;
    for (const auto& [address, allocation] : runtime.allocations) {
        const bool onDevice = allocation.device >= 0;
        ++(onDevice ? result.deviceAllocations : result.hostAllocations);
        if (onDevice) result.deviceBytes += allocation.bytes;
    }
    result.streams = runtime.streams.size();
    result.events = runtime.events.size();
    result.graphs = runtime.graphs.size();
    result.executables = runtime.executables.size();
    result.launches = runtime.launches;
    result.graphLaunches = runtime.graphLaunches;
    result.fiberSwitches = detail::Machine::instance().switches();
    return result;
}

}  // namespace simt
