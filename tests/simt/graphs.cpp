// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "tests/simt/runtime.h"

using namespace simt::detail;

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    const Call call("cudaStreamBeginCapture");
    if (call.refused() != cudaSuccess) return call.refused();
    CUstream_st* stream = Runtime::instance().find(handle);
    if (stream == nullptr) return fail(cudaErrorInvalidResourceHandle);
    if (!Runtime::instance().streams.contains(handle))
        return fail(cudaErrorStreamCaptureUnsupported, "a default stream cannot be captured");
    if (stream->capture) return fail(cudaErrorIllegalState, "the stream is captured already");
    stream->capture = Capture{mode, std::this_thread::get_id(), false, {}};
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    *graph = nullptr;
    const Call call("cudaStreamEndCapture");
    CUstream_st* stream = Runtime::instance().find(handle);
    if (stream == nullptr) return fail(cudaErrorInvalidResourceHandle);
    if (!stream->capture) return fail(cudaErrorIllegalState, "the stream is not captured");
    const Capture capture = std::move(*stream->capture);
    stream->capture.reset();
    if (call.refused() != cudaSuccess) return call.refused();
    if (capture.invalidated) return fail(cudaErrorStreamCaptureInvalidated);
    *graph = new CUgraph_st{capture.work};
    Runtime::instance().graphs.insert(*graph);
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    const Call call("cudaStreamIsCapturing");
    if (call.refused() != cudaSuccess) return call.refused();
    const CUstream_st* stream = Runtime::instance().find(handle);
    if (stream == nullptr) return fail(cudaErrorInvalidResourceHandle);
    *status = cudaStreamCaptureStatusNone;
    if (stream->capture)
        *status = stream->capture->invalidated ? cudaStreamCaptureStatusInvalidated
                                               : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    const Call call("cudaGraphDestroy");
    if (call.refused() != cudaSuccess) return call.refused();
    if (Runtime::instance().graphs.erase(graph) == 0) return fail(cudaErrorInvalidValue);
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long /*flags*/) {
    const Call call("cudaGraphInstantiate");
    if (call.refused() != cudaSuccess) return call.refused();
    if (!Runtime::instance().graphs.contains(graph)) return fail(cudaErrorInvalidValue);
    *executable = new CUgraphExec_st{graph->work};
    Runtime::instance().executables.insert(*executable);
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t /*stream*/) {
    const Call call("cudaGraphUpload");
    if (call.refused() != cudaSuccess) return call.refused();
    return Runtime::instance().executables.contains(executable) ? cudaSuccess
                                                                : fail(cudaErrorInvalidValue);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    const Call call("cudaGraphLaunch");
    if (call.refused() != cudaSuccess) return call.refused();
    if (!Runtime::instance().executables.contains(executable)) return fail(cudaErrorInvalidValue);
    ++Runtime::instance().graphLaunches;
    for (const Work& work : executable->work) {
        const cudaError_t error = submit(stream, work);
        if (error != cudaSuccess) return error;
    }
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    const Call call("cudaGraphExecDestroy");
    if (call.refused() != cudaSuccess) return call.refused();
    if (Runtime::instance().executables.erase(executable) == 0) return fail(cudaErrorInvalidValue);
    delete executable;
    return cudaSuccess;
}
