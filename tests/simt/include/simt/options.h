// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <vector>

namespace simt {

/// A call that is made to fail.
struct Fault {
    std::string call;  ///< "cudaMalloc" or the name of a launch
    int after = 0;     ///< so many calls succeed first
    cudaError_t error = cudaErrorUnknown;
    bool forever = false;  ///< all later calls fail too, not only one
};

/// The pretended machine. Programs that cannot set it from inside read the environment when they
/// start: GATESCOPE_SIMT_DEVICES, GATESCOPE_SIMT_DEVICE_MEMORY (bytes), GATESCOPE_SIMT_LANE_ORDER,
/// GATESCOPE_SIMT_DEFER (1) and GATESCOPE_SIMT_FAIL ("call:after:error number").
struct Options {
    /// 0: lanes, warps and blocks run in their natural order; otherwise in an order made from the
    /// number, the same at every run.
    unsigned laneOrderSeed = 0;
    /// Work of a stream waits until something waits for it, as it may on a GPU: what is read too
    /// early was not yet written, what is overwritten too early is read late.
    bool deferWork = false;
    /// A thread that has left the kernel need not reach the barriers of its block. True on GPUs of
    /// compute capability 7.0 and later, yet in our kernels always a mistake.
    bool exitedThreadsSkipBarriers = false;
    std::size_t deviceMemoryBytes = std::size_t{2} << 30;
    std::size_t sharedBytesPerBlock = std::size_t{227} << 10;
    int deviceCount = 1;
    int multiprocessors = 8;
    int computeCapabilityMajor = 9;
    int computeCapabilityMinor = 0;
    int driverVersion = 13000;
    int runtimeVersion = 13000;
    std::vector<Fault> faults;

    /// Lets `after` calls of `call` through and makes the next fail with `error`.
    void failAfter(std::string call, int after, cudaError_t error) {
        faults.push_back({std::move(call), after, error, false});
    }
};

/// May be changed between calls of the runtime.
Options& options();

/// What exists and what was done.
struct Statistics {
    std::size_t deviceBytes = 0;  ///< allocated now, all devices
    std::size_t deviceAllocations = 0;
    std::size_t hostAllocations = 0;  ///< pinned
    std::size_t streams = 0;
    std::size_t events = 0;
    std::size_t graphs = 0;
    std::size_t executables = 0;  ///< instantiated graphs
    std::size_t launches = 0;     ///< kernels that ran, since the start
    std::size_t graphLaunches = 0;
    std::size_t fiberSwitches = 0;
};

Statistics statistics();

}  // namespace simt
