// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>
#include <simt/options.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

// What stands behind the emulated runtime. One lock guards all of it, kernels included.

namespace simt::detail {

/// One piece of work in a stream or a graph. Checks its pointers when it runs, since memory may be
/// gone by then.
struct Work {
    std::string name;
    std::function<cudaError_t()> run;
};

struct Allocation {
    std::size_t bytes = 0;
    int device = -1;    ///< -1: pinned memory of the host
    bool owned = true;  ///< false: registered by cudaHostRegister
};

struct Capture {
    cudaStreamCaptureMode mode;
    std::thread::id thread;
    bool invalidated = false;
    std::vector<Work> work;
};

}  // namespace simt::detail

struct CUstream_st {
    int device = 0;
    bool blocking = true;  ///< ordered with the legacy default stream
    std::vector<simt::detail::Work> pending;
    std::optional<simt::detail::Capture> capture;
};

struct CUevent_st {
    bool timing = true;
    bool captured = false;          ///< recorded while its stream was captured
    cudaStream_t stream = nullptr;  ///< that it was recorded into; null before
    std::optional<std::chrono::steady_clock::time_point> time;
};

struct CUgraph_st {
    std::vector<simt::detail::Work> work;
};

struct CUgraphExec_st {
    std::vector<simt::detail::Work> work;
};

namespace simt::detail {

struct Runtime {
    static Runtime& instance();

    std::recursive_mutex lock;
    std::map<const std::byte*, Allocation> allocations;  ///< by address
    std::set<cudaStream_t> streams;
    std::set<cudaEvent_t> events;
    std::set<cudaGraph_t> graphs;
    std::set<cudaGraphExec_t> executables;
    std::vector<CUstream_st> defaultStreams;  ///< of every device
    std::size_t launches = 0;
    std::size_t graphLaunches = 0;

    /// The stream meant by a handle; null if there is none.
    CUstream_st* find(cudaStream_t stream);
    std::size_t deviceBytes(int device) const;
};

/// The device of the calling thread.
int& currentDevice();

/// Makes it the calling thread's last error, with a text for cudaGetErrorString.
cudaError_t fail(cudaError_t error, const std::string& text = {});

/// Opens every call of the runtime: takes the lock and says whether the call is to be refused,
/// because a test wants it so or because a stream is being captured.
class Call {
  public:
    enum Kind {
        Always,       ///< also during a capture
        NotCapturing  ///< ends a capture that forbids it
    };
    explicit Call(const char* name, Kind kind = Always);
    cudaError_t refused() const { return m_error; }

  private:
    std::unique_lock<std::recursive_mutex> m_lock;
    cudaError_t m_error = cudaSuccess;
};

/// The error that a test planned for this call of `name`.
cudaError_t plannedFault(const std::string& name);

/// Hands work to a stream: records it, keeps it for later or does it at once.
cudaError_t submit(cudaStream_t stream, Work work);
/// Does what a stream has kept for later.
cudaError_t finish(CUstream_st& stream);
cudaError_t finishDevice(int device);
/// A call that may not be made on a stream that is being captured.
cudaError_t refuseCapture(CUstream_st& stream, const char* call);

/// The allocation that [memory, memory + bytes) lies in; null if in none.
const std::pair<const std::byte* const, Allocation>* findAllocation(const void* memory,
                                                                    std::size_t bytes);
/// Empty if nothing was written around the memory, otherwise a complaint.
std::string checkCanaries(const void* memory);

}  // namespace simt::detail
