// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/graph_cache.h"

#include <algorithm>
#include <utility>

#include "kernels/cuda/check.h"

namespace gatescope::cuda {

GraphCache::~GraphCache() {
    for (auto& entry : m_entries) discard(entry);
}

void GraphCache::discard(Entry& entry) {
    if (entry.exec) cudaGraphExecDestroy(std::exchange(entry.exec, nullptr));
}

GraphCache::Entry* GraphCache::find(const StepKey& key) {
    const auto found = std::find_if(m_entries.begin(), m_entries.end(),
                                    [&key](const Entry& entry) { return entry.key == key; });
    if (found == m_entries.end()) return nullptr;
    m_entries.splice(m_entries.begin(), m_entries, found);
    return &m_entries.front();
}

void GraphCache::run(const StepKey& key, const std::uint64_t& generation,
                     const std::function<void()>& operations) {
    Entry* entry = find(key);
    if (!entry || entry->generation != generation) {
        operations();
        if (!entry) {
            entry = &m_entries.emplace_front(Entry{.key = key});
            if (m_entries.size() > kMost) {
                discard(m_entries.back());
                m_entries.pop_back();
            }
        }
        discard(*entry);
        entry->generation = generation;
        return;
    }
    if (!entry->exec) entry->exec = record(operations);
    check(cudaGraphLaunch(entry->exec, m_stream), "graph launch");
    ++m_replays;
}

cudaGraphExec_t GraphCache::record(const std::function<void()>& operations) {
    check(cudaStreamBeginCapture(m_stream, cudaStreamCaptureModeThreadLocal), "graph capture");
    cudaGraph_t graph = nullptr;
    try {
        operations();
    } catch (...) {
        // A stop or an error: the capture has to end before the stream can be used again.
        cudaStreamEndCapture(m_stream, &graph);
        if (graph) cudaGraphDestroy(graph);
        cudaGetLastError();
        throw;
    }
    check(cudaStreamEndCapture(m_stream, &graph), "graph capture");
    cudaGraphExec_t exec = nullptr;
    const auto result = cudaGraphInstantiate(&exec, graph, 0);
    check(cudaGraphDestroy(graph), "graph");
    check(result, "graph instantiation");
    return exec;
}

}  // namespace gatescope::cuda
