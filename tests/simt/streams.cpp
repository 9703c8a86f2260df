// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "tests/simt/runtime.h"

namespace simt::detail {

cudaError_t submit(cudaStream_t handle, Work work) {
    CUstream_st* stream = Runtime::instance().find(handle);
    if (stream == nullptr) return fail(cudaErrorInvalidResourceHandle);
    if (stream->capture) {
        if (stream->capture->invalidated) return fail(cudaErrorStreamCaptureInvalidated);
        stream->capture->work.push_back(std::move(work));
        return cudaSuccess;
    }
    stream->pending.push_back(std::move(work));
    return options().deferWork ? cudaSuccess : finish(*stream);
}

cudaError_t finish(CUstream_st& stream) {
    cudaError_t result = cudaSuccess;
    for (const Work& work : std::exchange(stream.pending, {})) {
        result = work.run();
        // On a GPU nothing of the device works after an error; here what is queued is dropped.
        if (result != cudaSuccess) break;
    }
    return result;
}

cudaError_t finishDevice(int device) {
    Runtime& runtime = Runtime::instance();
    cudaError_t result = cudaSuccess;
    const auto finishOne = [&](CUstream_st& stream) {
        if (stream.device != device) return;
        const cudaError_t error = finish(stream);
        if (result == cudaSuccess) result = error;
    };
    for (CUstream_st& stream : runtime.defaultStreams) finishOne(stream);
    for (const cudaStream_t stream : runtime.streams) finishOne(*stream);
    return result;
}

cudaError_t refuseCapture(CUstream_st& stream, const char* call) {
    if (!stream.capture) return cudaSuccess;
    stream.capture->invalidated = true;
    return fail(cudaErrorStreamCaptureUnsupported, call);
}

namespace {

cudaError_t createEvent(cudaEvent_t* event, unsigned flags) {
    *event = new CUevent_st;
    (*event)->timing = (flags & cudaEventDisableTiming) == 0;
    Runtime::instance().events.insert(*event);
    return cudaSuccess;
}

cudaError_t createStream(cudaStream_t* stream, unsigned flags) {
    *stream = new CUstream_st;
    (*stream)->device = currentDevice();
    (*stream)->blocking = (flags & cudaStreamNonBlocking) == 0;
    Runtime::instance().streams.insert(*stream);
    return cudaSuccess;
}

bool isLive(cudaEvent_t event) {
    return Runtime::instance().events.contains(event);
}

/// Does what has to be done before the event.
cudaError_t finishUntil(const CUevent_st& event) {
    CUstream_st* stream =
        event.stream == nullptr ? nullptr : Runtime::instance().find(event.stream);
    return stream == nullptr ? cudaSuccess : finish(*stream);
}

void stamp(cudaEvent_t event) {
    if (isLive(event)) event->time = std::chrono::steady_clock::now();
}

}  // namespace

}  // namespace simt::detail

using namespace simt::detail;

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
    const Call call("cudaStreamCreate");
    return call.refused() != cudaSuccess ? call.refused() : createStream(stream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    const Call call("cudaStreamCreateWithFlags");
    return call.refused() != cudaSuccess ? call.refused() : createStream(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    const Call call("cudaStreamDestroy");
    if (call.refused() != cudaSuccess) return call.refused();
    if (!Runtime::instance().streams.contains(stream)) return fail(cudaErrorInvalidResourceHandle);
    const cudaError_t error = finish(*stream);
    Runtime::instance().streams.erase(stream);
    delete stream;
    return error;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    const Call call("cudaStreamSynchronize");
    if (call.refused() != cudaSuccess) return call.refused();
    CUstream_st* stream = Runtime::instance().find(handle);
    if (stream == nullptr) return fail(cudaErrorInvalidResourceHandle);
    const cudaError_t error = refuseCapture(*stream, "cudaStreamSynchronize");
    return error != cudaSuccess ? error : finish(*stream);
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    const Call call("cudaStreamQuery");
    if (call.refused() != cudaSuccess) return call.refused();
    CUstream_st* stream = Runtime::instance().find(handle);
    if (stream == nullptr) return fail(cudaErrorInvalidResourceHandle);
    const cudaError_t error = refuseCapture(*stream, "cudaStreamQuery");
    return error != cudaSuccess ? error : finish(*stream);
}

cudaError_t cudaDeviceSynchronize() {
    const Call call("cudaDeviceSynchronize");
    if (call.refused() != cudaSuccess) return call.refused();
    for (const cudaStream_t stream : Runtime::instance().streams) {
        if (stream->device != currentDevice()) continue;
        const cudaError_t error = refuseCapture(*stream, "cudaDeviceSynchronize");
        if (error != cudaSuccess) return error;
    }
    return finishDevice(currentDevice());
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned /*flags*/) {
    const Call call("cudaStreamWaitEvent");
    if (call.refused() != cudaSuccess) return call.refused();
    CUstream_st* stream = Runtime::instance().find(handle);
    if (stream == nullptr || !isLive(event)) return fail(cudaErrorInvalidResourceHandle);
    if (event->captured || stream->capture)
        return fail(cudaErrorNotSupported, "captures of more than one stream");
    return finishUntil(*event);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* userData) {
    const Call call("cudaLaunchHostFunc");
    if (call.refused() != cudaSuccess) return call.refused();
    if (function == nullptr) return fail(cudaErrorInvalidValue);
    return submit(stream, {"cudaLaunchHostFunc", [=] {
                               function(userData);
                               return cudaSuccess;
                           }});
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
    const Call call("cudaEventCreate");
    return call.refused() != cudaSuccess ? call.refused() : createEvent(event, cudaEventDefault);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
    const Call call("cudaEventCreateWithFlags");
    return call.refused() != cudaSuccess ? call.refused() : createEvent(event, flags);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    const Call call("cudaEventDestroy");
    if (call.refused() != cudaSuccess) return call.refused();
    if (Runtime::instance().events.erase(event) == 0) return fail(cudaErrorInvalidResourceHandle);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
    const Call call("cudaEventRecord");
    if (call.refused() != cudaSuccess) return call.refused();
    CUstream_st* stream = Runtime::instance().find(handle);
    if (stream == nullptr || !isLive(event)) return fail(cudaErrorInvalidResourceHandle);
    event->stream = handle == nullptr ? cudaStreamLegacy : handle;
    event->time.reset();
    event->captured = stream->capture.has_value();
    // Inside a capture it only marks a place; nothing is recorded when the graph runs.
    if (event->captured)
        return stream->capture->invalidated ? fail(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
    return submit(handle, {"cudaEventRecord", [event] {
                               stamp(event);
                               return cudaSuccess;
                           }});
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    const Call call("cudaEventQuery", Call::NotCapturing);
    if (call.refused() != cudaSuccess) return call.refused();
    if (!isLive(event)) return fail(cudaErrorInvalidResourceHandle);
    return event->captured ? fail(cudaErrorCapturedEvent) : finishUntil(*event);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const Call call("cudaEventSynchronize", Call::NotCapturing);
    if (call.refused() != cudaSuccess) return call.refused();
    if (!isLive(event)) return fail(cudaErrorInvalidResourceHandle);
    return event->captured ? fail(cudaErrorCapturedEvent) : finishUntil(*event);
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    const Call call("cudaEventElapsedTime");
    if (call.refused() != cudaSuccess) return call.refused();
    if (!isLive(start) || !isLive(end) || !start->timing || !end->timing ||
        start->stream == nullptr || end->stream == nullptr)
        return fail(cudaErrorInvalidResourceHandle);
    if (start->captured || end->captured) return fail(cudaErrorCapturedEvent);
    if (!start->time || !end->time) return fail(cudaErrorNotReady);
    *milliseconds = std::chrono::duration<float, std::milli>(*end->time - *start->time).count();
    return cudaSuccess;
}
