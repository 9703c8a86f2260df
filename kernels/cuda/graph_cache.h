// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>

#include "kernels/device.h"

namespace gatescope::cuda {

/// Steps recorded as CUDA graphs. The first pass of a key runs as it is issued, because it may
/// still allocate; the second is recorded, and from then on the recording is repeated. A recording
/// made before memory was given back may point to it and is made anew.
class GraphCache {
  public:
    explicit GraphCache(cudaStream_t stream) : m_stream(stream) {}
    ~GraphCache();
    GraphCache(const GraphCache&) = delete;
    GraphCache& operator=(const GraphCache&) = delete;

    /// `generation` is looked at before and after operations ran: it changes when memory is given
    /// back.
    void run(const StepKey& key, const std::uint64_t& generation,
             const std::function<void()>& operations);
    std::size_t replays() const { return m_replays; }

  private:
    // Steps of one and of two tokens for main model and MTP module, and a few lengths of context.
    static constexpr std::size_t kMost = 32;
    struct Entry {
        StepKey key;
        std::uint64_t generation = 0;
        cudaGraphExec_t exec = nullptr;
    };

    Entry* find(const StepKey& key);
    cudaGraphExec_t record(const std::function<void()>& operations);
    static void discard(Entry& entry);

    cudaStream_t m_stream;
    std::list<Entry> m_entries;  ///< most recently used first
    std::size_t m_replays = 0;
};

}  // namespace gatescope::cuda
